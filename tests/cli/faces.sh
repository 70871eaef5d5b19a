#!/bin/bash
# kiln faces: what is listed, cut out and drawn, and what is refused.
#   faces.sh KILN MARKED GENERATOR JSON_CHECK
set -uo pipefail
kiln=$1 marked=$2 generator=$3 json_check=$4
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

faces() { "$kiln" faces --detector detector.onnx "$@"; }
size_of() { # of a PNG
    od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'
}

holds "$marked" detector detector.onnx
holds "$marked" open open.onnx
mkdir -p a b
"$marked" picture a/party.ppm 512 0,1,2 3,3,0
"$marked" picture b/party.ppm 512 1,1,1
"$marked" picture nobody.ppm 512

# What is found, where: the cell in column 3, row 3, and points as the template has them.
holds faces a/party.ppm >out
holds grep -q 'a/party.ppm: 2 faces' out
holds grep -q '0.9.* 128 x 128 at 384, 384  points 427.8,443.1' out
holds faces nobody.ppm >out
holds grep -q 'nobody.ppm: 0 faces' out
for format in json jsonl; do
    holds faces a b/party.ppm nobody.ppm --format $format >out
    holds grep -q '"image": "a/party.ppm", "width": 512, "height": 512, "faces": \[{"score"' out
    holds grep -q '"image": "nobody.ppm", .*"faces": \[\]}' out
done
holds faces a nobody.ppm --json >out
holds "$json_check" <out
holds faces a b nobody.ppm --format csv >out
holds test "$(wc -l <out)" -eq 4
holds grep -q '^b/party.ppm,1,.*,128,128,256,256,' out
printf 'a/party.ppm\nb\n' >list
holds faces --list list --format csv >out
holds test "$(wc -l <out)" -eq 4
holds faces a/party.ppm --score 0.99999 >out # sigmoid of 10 is less
holds grep -q ': 0 faces' out

# A detector whose input has no size is compiled for 640x640, where it sees a face in each 32x32.
holds "$kiln" faces --detector open.onnx a/party.ppm >out
holds grep -q ': 50 faces' out
holds "$kiln" compile detector.onnx -q -o detector.plan
holds "$kiln" faces --detector detector.plan a/party.ppm >out
holds grep -q ': 2 faces' out

# Upright faces, two photographs of one name.
holds faces a b -o crops >out
holds grep -q 'crops/party-1.png' out
for name in party-1 party-2 party~2-1; do
    holds test "$(size_of crops/$name.png)" = '112 112'
done
holds test "$(find crops -type f | wc -l)" -eq 3
holds faces a/party.ppm -o crops --size 50 >out
holds test "$(size_of crops/party-1.png)" = '50 50'
cp crops/party-1.png a/party-1.png
refuses 1 'party-1.png' faces a -o a
refuses 1 'not a folder' faces a/party.ppm -o list

# Without points the crops are squares about the boxes, and that is told.
holds "$marked" boxes boxes.onnx
holds "$kiln" faces --detector boxes.onnx a/party.ppm -o crops >out 2>err
holds grep -q 'gives no points' err

holds faces a/party.ppm --draw drawn.png >out
holds test "$(size_of drawn.png)" = '512 512'
refuses 1 '--draw takes one photograph' faces a b --draw drawn.png
refuses 1 'a/party.ppm' faces a/party.ppm --draw a/party.ppm

# What cannot be read is told, and the others are searched.
head -c 1000 a/party.ppm >cut.ppm
refuses 1 'cut.ppm' faces cut.ppm a/party.ppm
holds grep -q ': 2 faces' out
refuses 1 'cut.ppm' faces cut.ppm a/party.ppm --json
holds "$json_check" <out

refuses 2 'expected photographs' "$kiln" faces a/party.ppm
refuses 2 'expected photographs' faces
refuses 2 '--score 2' faces a --score 2
$generator squeezenet -o net.onnx --width 0.1 --size 64 --classes 5 >/dev/null || exit 1
refuses 1 'no face detector of a known family.*Nx3x64x64.*known are SCRFD' "$kiln" faces a --detector net.onnx
refuses 1 'missing.onnx' "$kiln" faces a --detector missing.onnx

echo "faces: $passed passed, $failed failed"
[ $failed -eq 0 ]
