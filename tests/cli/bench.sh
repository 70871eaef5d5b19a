#!/bin/bash
# kiln bench: profile and trace, whether they are well-formed and say what they should.
#   bench.sh KILN GENERATOR JSON-CHECK
set -euo pipefail
kiln=$1 generator=$2 json=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
trap 'echo "FAILED in line $LINENO"' ERR

# The checker itself.
for good in '{"a": [1, -0.5e+3, "\u00e9\n"], "b": {}}' '[]' ' null '; do $json <<<"$good"; done
for bad in '{"a": 1,}' '[1 2]' '{a: 1}' '"' '01' '[1]]' '' 'nan'; do
    if $json <<<"$bad" 2>/dev/null; then
        echo "FAILED: '$bad' passed for JSON"
        exit 1
    fi
done

count() { grep -o -- "$1" "$2" | wc -l; }

$generator resnet18 -o net.onnx --width 0.25 --size 64 --classes 4 >/dev/null
$kiln compile net.onnx --convolution winograd4 -q
$kiln compile net.onnx -o direct.plan --convolution direct -q
$kiln bench net.plan --threads 1,2 --batch 2 --runs 3 --warmup 1 --profile --json \
    --trace trace.json >bench.json
$json <bench.json
$json <trace.json
steps=$($kiln inspect net.plan --json | grep -o '"kernel": ' | wc -l)
test "$(count '"microseconds": ' bench.json)" -eq $((2 * (steps + 1)))
for field in vectors gflops memory_gb_per_second algorithm share operations operations_done of_peak \
    bytes of_memory total; do
    grep -q "\"$field\": " bench.json
done
for field in scaling steady machine steps serial limit_4 limit_8; do
    test "$(count "\"$field\": [tf0-9{]" bench.json)" -ge 1
done
test "$(count '"scaling": ' bench.json)" -eq 1 # of two threads alone
awk -v text="$(cat bench.json)" 'function value(name) {
    match(text, "\"" name "\": [0-9.e+-]+"); return substr(text, RSTART + length(name) + 4) + 0 }
    BEGIN { s = value("serial"); four = value("limit_4"); eight = value("limit_8")
        exit !(s >= 0 && s <= 1 && four >= 1 && four <= 4.001 && eight >= four && eight <= 8.001 &&
            (1 / four - s - (1 - s) / 4) ^ 2 < 1e-6) }'
grep -q '"algorithm": "winograd4"' bench.json
grep -q '"algorithm": "gemm", "library": "[KX]' bench.json
grep -q '"algorithm": null, "library": "Kiln"' bench.json
$kiln bench direct.plan --runs 1 --profile --json >direct.json
grep -q '"algorithm": "direct"' direct.json
test "$(count '"algorithm": "[wg]' direct.json)" -eq 0

# A run of each step: first, warm-up and three, for each number of threads.
test "$(count '"step": ' trace.json)" -eq $((2 * 5 * steps))
test "$(count '"name": "first run", "ph": "X", "pid": [12], "tid": 1' trace.json)" -eq 2
test "$(count '"cat": "run", "ts": [0-9.]*, "dur": [0-9.]*' trace.json)" -eq 10
test "$(count '"cat": "load"' trace.json)" -eq 6
test "$(count '"name": "process_name", "ph": "M"' trace.json)" -eq 2

$kiln bench net.plan --runs 3 --profile >profile.txt
grep -q 'machine: .* GFLOP/s, .* GB/s from memory (1 thread)' profile.txt
grep -q '^  total .* 100.0% ' profile.txt

test "$(count 'times one thread' profile.txt)" -eq 0
$kiln bench net.plan --threads 2,1,2 --runs 3 --profile >profile.txt
test "$(count '2 threads: [0-9.]* times one thread.s peak$' profile.txt)" -eq 1 # one is not known yet
test "$(count 'does not scale: at most [0-9.]* times on 4 threads, [0-9.]* on 8$' profile.txt)" -eq 1

# What fails leaves no file.
mkdir empty
status=0
$kiln bench missing.plan --trace empty/trace.json 2>message || status=$?
test $status -eq 1
test -z "$(ls empty)"
status=0
$kiln bench net.plan --runs 1 --trace missing/trace.json >/dev/null 2>message || status=$?
test $status -eq 1
grep -q 'missing/trace.json: cannot create' message
echo '1 passed, 0 failed'
