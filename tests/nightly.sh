#!/bin/bash
# What takes too long for every change: all faults, long fuzzing, many random networks, threads under
# ThreadSanitizer, some tests under valgrind. SECONDS_EACH (600) is how long each fuzzer runs.
#
#   nightly.sh [STEP...]   (faults fuzz random threads valgrind; default: all)
set -uo pipefail
cd "$(dirname "$0")/.." || exit
seconds=${SECONDS_EACH:-600}
failures=()

build() { # FOLDER COMPILER OPTION...
    local folder=$1 compiler=$2 launcher=()
    shift 2
    command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    cmake --preset debug -B "build/$folder" -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DKILN_BUILD_TESTS=ON "${launcher[@]}" "$@" >/dev/null
}

faults() {
    cmake --preset release -DKILN_BUILD_TESTS=ON >/dev/null && cmake --build build/release &&
        cmake --build build/release --target run-faults
}

# libFuzzer keeps what reaches new code in build/fuzz/corpus, for the next night. Without
# -len_control=0 it begins with files of a few bytes and has no room for a target's own seeds.
fuzz() {
    local kind status=0
    build fuzz clang -DCMAKE_C_FLAGS_DEBUG="-O2 -g" -DKILN_SANITIZE=address,undefined \
        -DKILN_BUILD_FUZZERS=ON || return
    for kind in onnx plan picture npy idx checkpoint cache prepacked people faces shards; do
        mkdir -p "build/fuzz/corpus/$kind"
        cmake --build build/fuzz --target "fuzz_$kind" &&
            "build/fuzz/tests/fuzz/fuzz_$kind" "build/fuzz/corpus/$kind" -max_len=65536 \
                -len_control=0 -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2500 \
                -print_final_stats=1 -artifact_prefix="build/fuzz/$kind-" || status=1
    done
    return $status
}

random() {
    cmake --build build/release --target random_graphs &&
        build/release/tests/fuzz/random_graphs 20000
}

# pthreadpool and XNNPACK are not built for it; what it says of them is left out.
threads() {
    build tsan gcc -DKILN_SANITIZE=thread &&
        cmake --build build/tsan --target test_packed test_session test_threads test_trainer \
            test_trainer_options &&
        TSAN_OPTIONS=suppressions=$PWD/tests/tsan.txt ctest --test-dir build/tsan \
            --output-on-failure -R '^test_(packed|session|threads|trainer|trainer_options)$'
}

# Leaks are the address sanitizer's to find.
valgrind() {
    cmake --build build/release --target test_session test_import test_import_data \
        test_import_inputs test_graph test_files || return
    local test
    for test in session import import_data import_inputs graph files; do
        CK_FORK=no command valgrind -q --error-exitcode=1 \
            "build/release/tests/unit/test_$test" || return
    done
}

for step in "${@:-faults fuzz random threads valgrind}"; do
    for name in $step; do
        printf '\n== %s\n' "$name"
        "$name" || failures+=("$name")
    done
done
printf '\n%d failed: %s\n' "${#failures[@]}" "${failures[*]}"
exit $((${#failures[@]} > 0))
