#!/bin/bash
# All checks of a checkout, from a fresh Debian 12 machine on: installs what is needed; builds with gcc
# (release, and with sanitizers) and clang (without XNNPACK, with its own sanitizer); runs the tests, and some
# of them for 64-bit ARM; checks formatting and clang-tidy. Goes on after a failure; the last line sums up, the exit status is 0 if all is well.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

passed=0
failed=0
failures=()

# step NAME COMMAND...: runs it, remembers its failure.
step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if "$@"; then
        printf -- '-- %s: %d s\n' "$name" $((SECONDS - start))
        return 0
    fi
    printf -- '-- %s: FAILED\n' "$name"
    failed=$((failed + 1))
    failures+=("$name")
    return 1
}

finish() {
    local name
    printf '\n'
    for name in "${failures[@]}"; do
        printf 'failed: %s\n' "$name"
    done
    printf '%d passed, %d failed\n' "$passed" "$failed"
    exit $((failed > 0))
}

# build FOLDER PRESET COMPILER CMAKE-OPTION...: all targets, or those in $targets.
build() {
    local launcher=()
    command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    cmake --preset "$2" -B "build/$1" -DCMAKE_C_COMPILER="$3" -DKILN_BUILD_TESTS=ON \
        -DKILN_WERROR=ON "${launcher[@]}" "${@:4}" >/dev/null &&
        cmake --build "build/$1" --target "${targets[@]:-all}"
}

# run_tests FOLDER CTEST-OPTION...: adds to the totals what ctest's summary line counts.
run_tests() {
    local status log="build/$1/ctest.log"
    local pattern='tests passed, ([0-9]+) tests? failed out of ([0-9]+)'
    printf '\n== tests of %s\n' "$1"
    ctest --test-dir "build/$1" --output-on-failure -j "$(nproc)" --no-tests=error "${@:2}" 2>&1 |
        tee "$log" && status=0 || status=1
    local bad=$status good=0
    if [[ $(grep 'tests passed' "$log") =~ $pattern ]]; then
        bad=${BASH_REMATCH[1]}
        good=$((BASH_REMATCH[2] - bad))
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    [ "$bad" -eq 0 ] || failures+=("tests of $1")
}

sources() {
    find compiler runtime include models tests examples -name '*.[ch]' -print0
}

check_format() {
    sources | xargs -0 clang-format --dry-run -Werror --ferror-limit=1
}

# Every file that the release build compiles, generated ones apart; each file once.
check_tidy() {
    sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/release/compile_commands.json | sort -u |
        grep -v '\.pb-c\.c$' | tr '\n' '\0' | tests/tidy.sh
}

step packages ./examples/packages.sh check libonnx-testdata clang clang-format clang-tidy chromium \
    python3-venv openjdk-17-jdk-headless parallel make || finish
step "gcc release" build release release gcc
release=$?
# Only what its tests run: unit tests, conformance, and the objects that tests/links looks at.
targets=(tests/unit/all conformance kiln-cli)
step "clang ubsan without XNNPACK" build ubsan ubsan clang -DKILN_XNNPACK=OFF
ubsan=$?
targets=()
step "gcc asan" build asan asan gcc
asan=$?
[ $release -eq 0 ] && run_tests release -LE peer -E '^(fuzz|short)_' # damaged files: with gcc's sanitizers
[ $asan -eq 0 ] && run_tests asan -L 'unit|integration|conformance|fuzz'
[ $ubsan -eq 0 ] && run_tests ubsan -L 'unit|conformance' # the command's scripts ran with gcc's sanitizers
[ $release -eq 0 ] && step "python wheel" tests/python/wheel.sh build/release
targets=emulated step "arm64 under emulation" tests/cross.sh arm64 -L emulated
type=MinSizeRel targets=sized step "arm64, smallest" tests/cross.sh arm64 -R '^sizes$'
clang=1 lto=1 type=MinSizeRel targets="sized test_conv_direct" \
    step "arm64 by clang, with LTO" tests/cross.sh arm64 -R '^(sizes|test_conv_direct)$'
step formatting check_format
[ $release -eq 0 ] && step clang-tidy check_tidy
finish
