#!/bin/bash
# Pictures as people bring them: folders, lists and archives of them, formats of answers, networks that are no
# classifiers, outputs that cannot be written.
#   pictures.sh KILN FACES GENERATOR JSON_CHECK BACKBONE
set -uo pipefail
kiln=$1 faces=$2 generator=$3 json_check=$4 backbone=$5
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

# check STATUS COMMAND...
check() {
    local wanted=$1
    shift
    "$@" >out 2>err
    [ $? -eq "$wanted" ]
    outcome $? "status $wanted: $*"
}
told() { # TEXT: by the last command
    grep -q -- "$1" out err
    outcome $? "no '$1'"
}

"$faces" -o people --people 3 --pictures 6 --size 48 >/dev/null || exit 1
"$kiln" train --from-scratch --input-size 16x16 --head 16:relu,softmax --epochs 5 people -o faces.plan -q || exit 1
$generator squeezenet -o net.onnx --width 0.1 --size 64 --classes 10 >/dev/null &&
    "$kiln" compile net.onnx -o net.plan --preprocess imagenet -q &&
    "$kiln" compile "$backbone" -o features.plan --preprocess imagenet -q || exit 1

# ---- Probabilities and scores ----
# A network that gives logits, below zero, too: not as probabilities, and each class once.
$generator resnet18 -o logits.onnx --width 0.1 --size 32 --classes 10 >/dev/null &&
    "$kiln" compile logits.onnx -o logits.plan --preprocess imagenet -q || exit 1
check 0 "$kiln" classify logits.plan people/ada/00.png --top 10
told 'class [0-9] (score -*[0-9.]*), class'
holds [ "$(grep -o 'class [0-9]' out | sort -u | wc -l)" -eq 10 ]
holds grep -q 'score -' out
check 0 "$kiln" classify logits.plan people/ada/00.png --json
told '"label": "class [0-9]", "class_score": -*[0-9.]*, "top": \[{"label": "class [0-9]", "class_score"'
holds "$json_check" <out
check 0 "$kiln" classify logits.plan people/ada/00.png --format csv
told '^image,label,class_score$'
check 1 "$kiln" classify logits.plan people/ada/00.png --reject 0.5
told 'gives scores, no probabilities'
check 0 "$kiln" classify faces.plan people/ada/00.png --json --reject 0.1
told '"probability"'

# ---- Folders and lists ----
mkdir -p 'album/a trip/2nd day' album/__MACOSX album/empty
cp people/ada/00.png 'album/a trip/2nd day/one two.png'
cp people/ada/01.png album/z.png
cp people/ada/02.png album/B.png
cp people/ada/02.png album/.hidden.png
echo x >album/__MACOSX/._z.png
echo notes >album/notes.txt
check 0 "$kiln" classify faces.plan album --format csv
told '1 file in folders passed over: no picture'
printf '%s\n' image 'album/B.png' 'album/a trip/2nd day/one two.png' album/z.png >expected
cut -d, -f1 out >got
holds cmp expected got
holds grep -qx 'image,label,probability' out
printf '\xef\xbb\xbfalbum/z.png\r\n\r\nalbum/a trip\r\n' >list.txt
check 0 "$kiln" classify faces.plan --list list.txt people/ada/03.png --format jsonl
holds [ "$(wc -l <out)" -eq 3 ]
while read -r line; do
    "$json_check" <<<"$line"
    outcome $? "json: $line"
done <out
told '"image": "album/a trip/2nd day/one two.png"'
find album -name '*.png' -not -path '*/.*' | sort | "$kiln" classify faces.plan --list - --json >out 2>err
outcome $? 'list from standard input'
holds "$json_check" <out
check 1 "$kiln" classify faces.plan --list missing.txt
told 'missing.txt: No such file'
check 1 "$kiln" classify faces.plan album/empty
told 'album/empty: no pictures'
check 2 "$kiln" classify faces.plan
head -c 300 people/ada/04.png >album/cut.png
check 1 "$kiln" classify faces.plan album
told 'album/cut.png: PNG'
told 'album/z.png: '

# ---- Features, with names ----
check 1 "$kiln" embed faces.plan album -o rows.npy
told 'album/cut.png: PNG'
printf '%s\n' image,row album/B.png,0 'album/a trip/2nd day/one two.png,1' album/z.png,2 >expected
holds cmp expected rows.npy.names
rm album/cut.png
check 0 "$kiln" embed faces.plan album -o rows.csv
holds [ "$(head -1 rows.csv | cut -d, -f1-3)" = image,f0,f1 ]
holds [ "$(wc -l <rows.csv)" -eq 4 ]
check 0 "$kiln" embed faces.plan album --format json
holds "$json_check" <out
check 2 "$kiln" embed faces.plan album
check 1 "$kiln" embed faces.plan album -o album/z.png
told 'is read too'
check 1 "$kiln" embed faces.plan album -o no/where.npy
holds [ ! -e rows.npy.tmp ]

# ---- Archives, as classes ----
mkdir -p archive/__MACOSX/ada 'archive/nobody yet' archive/ada/more
cp people/ada/0[0-3].png archive/ada
cp people/ada/0[45].png archive/ada/more
cp -r people/bruno archive
echo x >archive/__MACOSX/ada/._00.png
echo x >archive/.DS_Store
check 0 "$kiln" train faces.plan archive -o two.plan --cut head.1 --epochs 2
told 'archive/__MACOSX: hidden, passed over'
told 'archive/nobody yet: no files, so no class'
told "archive/ada/more\|archive/ada: files in folders inside of it, taken as the class's own: 2"
told '2 classes, '
printf 'P5 1 1 255\nx' >archive/ada/dot.pgm
check 0 "$kiln" train faces.plan archive -o two.plan --cut head.1 --epochs 2
told 'archive/ada/dot.pgm: 1x1 pixels show nothing'
mkdir archive/carl
for k in 1 2 3; do printf '\xff\x0a\0\0' >archive/carl/$k.jxl; done
: >archive/carl/4.jpg
check 1 "$kiln" train faces.plan archive -o two.plan --cut head.1
told "class 'carl': none of its 4 pictures can be used; 3: JPEG XL pictures are not read.*, 1: empty"

# ---- Networks that are no classifiers ----
check 0 "$kiln" classify net.plan people/ada/00.png
told 'class [0-9] (score 0\.'
for command in classify evaluate; do
    what=people/ada/00.png
    [ $command = classify ] || what=people
    check 1 "$kiln" $command features.plan $what
    told 'features.plan: a network without labels: kiln run shows its outputs; kiln train makes a classifier'
done

# ---- Outputs that cannot be written are told before the work ----
: >file
before() { # TEXT COMMAND...: it ends before the work, which would be told
    check 1 "${@:2}"
    told "$1"
    holds [ ! -s out ]
}
before 'file: not a folder' "$kiln" run net.plan people/ada/00.png --output file
before 'no/where: cannot create' "$kiln" run net.plan people/ada/00.png --output no/where
before 'no/x.plan: ' "$kiln" compile net.onnx -o no/x.plan
before 'no/x.onnx: ' "$kiln" export net.plan -o no/x.onnx
before 'no/x.html: ' "$kiln" inspect net.plan --html no/x.html
before 'no/x.json: ' "$kiln" bench net.plan --runs 1 --trace no/x.json
before 'no/x.plan: ' "$kiln" tune net.plan --runs 1 -o no/x.plan
before 'no/x.png: ' "$kiln" view net.plan people/ada/00.png --layer fire2 -o no/x.png
for output in '-o no/x.plan' '-o x.plan --report no/x.html' '-o x.plan --history no/x.csv' '-o x.plan --checkpoint no/x'; do
    # shellcheck disable=SC2086 # words
    before 'no/x' "$kiln" train net.plan people $output
done
before 'nobody: No such file' "$kiln" train net.plan people -o x.plan --strangers nobody

# ---- Names of classes may hold anything ----
mkdir -p odd/$'a\nb' 'odd/c, "d"'
cp people/ada/*.png odd/$'a\nb'
cp people/bruno/*.png 'odd/c, "d"'
check 0 "$kiln" train --from-scratch --input-size 8x8 --head softmax --epochs 30 odd -o odd.plan
check 0 "$kiln" export odd.plan -o odd.onnx
holds grep -qa '^.*a b$' odd.onnx # a line is a label there
"$kiln" inspect odd.plan --json >out
holds grep -qF '"labels": ["a\u000ab", "c, \"d\""]' out
check 0 "$kiln" classify odd.plan odd --format csv
holds [ "$(wc -l <out)" -eq 13 ]
holds grep -qF 'odd/a\nb/00.png,' out
check 0 "$kiln" evaluate odd.plan odd --matrix

# ---- A layer's name ----
check 1 "$kiln" view net.plan people/ada/00.png --layer conv99 -o maps.png
told "net.plan has no layer 'conv99'"
holds [ "$("$kiln" view net.plan --list | head -1)" = "$(sed -n 2p err)" ]

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
