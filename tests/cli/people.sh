#!/bin/bash
# People of a plan: trained, enrolled, forgotten, renamed, corrected; named, and strangers refused at a
# rate that was asked for. Of drawn people, whole pictures.
#   people.sh KILN FACES BACKBONE JSON_CHECK
set -uo pipefail
kiln=$1 faces=$2 backbone=$3 json_check=$4
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

same() { # NAME A B: the same people
    "$kiln" people "$2" --json >a.json && "$kiln" people "$3" --json >b.json && cmp a.json b.json >out 2>err
    outcome $? "$1"
}

"$faces" -o all --people 16 --pictures 12 --size 64 --seed 5 >/dev/null || exit 1
names=(all/*/)
new=$(basename "${names[3]}") somebody=$(basename "${names[0]}")
mkdir strangers unseen known test enrolled
for k in "${!names[@]}"; do
    [ "$k" -ge 12 ] && mv "${names[$k]}" unseen/ && continue
    [ "$k" -ge 8 ] && mv "${names[$k]}" strangers/ && continue
    name=$(basename "${names[$k]}")
    mkdir "test/$name" "known/$name"
    mapfile -t files < <(ls "${names[$k]}")
    for n in "${!files[@]}"; do
        if [ "$n" -lt 9 ]; then cp "${names[$k]}${files[$n]}" "known/$name/"; else cp "${names[$k]}${files[$n]}" "test/$name/"; fi
    done
done
mv "known/$new" enrolled/
check 'compile' "$kiln" compile "$backbone" --mean 127.5 --std 128 -q -o backbone.plan

# Trained without one of them, who is then enrolled; and trained on all.
train=(--strangers strangers --head cosine --epochs 20 --no-checkpoint)
check 'train' "$kiln" train backbone.plan known -o faces.plan "${train[@]}"
told 'people' '7 people; strangers are refused below similarity'
check 'people' "$kiln" people faces.plan
told 'table' "^$somebody  *9  *0 "
told 'threshold' 'strangers pass, by 104 impostor scores of 11 people'
cp faces.plan was.plan
pictures=("enrolled/$new/"*)
check 'enrol' "$kiln" enrol faces.plan "$new" "${pictures[@]}"
told 'enrolled' "$new has 9 pictures, 8 people are known"
check 'enroll elsewhere' "$kiln" enroll was.plan "$new" "enrolled/$new" -o other.plan
same 'a folder, another file' faces.plan other.plan
cp -r "enrolled/$new" known/
check 'train anew' "$kiln" train backbone.plan known -o anew.plan "${train[@]}"
same 'enrolled is trained anew' faces.plan anew.plan
check 'inspect' "$kiln" inspect faces.plan

# Named, and not named.
echo 'no picture' >broken.jpg
refuses 1 'broken.jpg' "$kiln" classify faces.plan broken.jpg
silent 'what nobody asked of no picture' 'strangers pass'
check 'classify' "$kiln" classify faces.plan "test/$new/"* --far 0.3
told 'named' ": $new ([01]\.[0-9]*, similarity 0\.[0-9]*)"
told 'rate' 'at most 30 % of strangers pass at similarity 0\.[0-9]* (112 impostor scores of 12 people)'
check 'strangers' "$kiln" classify faces.plan unseen/*/*
told 'unknown' ': unknown (nearest: [^,]*, 0\.[0-9]* where 0\.[0-9]* is asked)'
[ "$(grep -c unknown out)" -ge 42 ]
outcome $? 'of 48 strangers 42 are unknown'
check 'everybody' "$kiln" classify faces.plan unseen/*/* --far 1
[ "$(grep -c unknown out)" -eq 0 ]
outcome $? 'nobody is refused'
refuses 1 'a rate of 0.001 needs 3000 impostor scores; there are 112' "$kiln" classify faces.plan "${pictures[0]}" --far 0.001
refuses 2 'a rate above 0, at most 1' "$kiln" classify faces.plan "${pictures[0]}" --far 0
check 'json' "$kiln" classify faces.plan "${pictures[0]}" unseen/*/* --json
"$json_check" <out
outcome $? 'sound JSON'
check 'csv' "$kiln" classify faces.plan "${pictures[0]}" --format csv
told 'columns' '^image,label,probability,similarity,asked$'

# A head that cannot take rows knows nothing of who was enrolled: no probability is told.
check 'train a discriminant' "$kiln" train backbone.plan known -o lda.plan --head lda --no-checkpoint
check 'enrol beside it' "$kiln" enrol lda.plan 'Ada Lovelace' unseen/*/*
check 'classify without a probability' "$kiln" classify lda.plan unseen/*/*
told 'similarity alone' ': Ada Lovelace (similarity 0\.[0-9]*)$'
check 'csv without a probability' "$kiln" classify lda.plan unseen/*/* --format csv
told 'an empty field' ',Ada Lovelace,,0\.'
! grep -qi nan out
outcome $? 'no nan'
check 'who is in the head likewise' "$kiln" classify lda.plan "test/$somebody/"* --top 3 --far 1
told 'three by similarity' ": $somebody (similarity 0\.[0-9]*), [^,(]* (similarity -*[0-9.]*), [^,(]* (similarity -*[0-9.]*)$"
check 'all of them are told of' "$kiln" classify lda.plan "${pictures[0]}" --top 20 --json
"$json_check" <out && [ "$(grep -o '"label"' out | wc -l)" -eq 10 ] && grep -q '"label": "Ada Lovelace", "probability": null, "similarity": ' out
outcome $? 'the nine, and who it is'
refuses 1 'does not have all of its people' "$kiln" classify lda.plan "${pictures[0]}" --reject 0.5
check 'in doubt' "$kiln" classify faces.plan "${pictures[0]}" --far 0.3 --reject 1
told 'is said' ": unknown (in doubt: $new, 0\.[0-9]*)$"

# Heads of means, and of nearest neighbours, which have several rows of a person, take and lose people.
hers=$(find unseen -mindepth 1 | sort | head -1)
for head in mean knn; do
    check "train $head" "$kiln" train backbone.plan known -o $head.plan --head $head --no-checkpoint
    check "enrol, $head" "$kiln" enrol $head.plan 'Ada Lovelace' "$hers"/*
    check "rename, $head" "$kiln" rename $head.plan 'Ada Lovelace' 'Ada King'
    check "classify, $head" "$kiln" classify $head.plan "$hers" --far 1
    told 'with a probability' ': Ada King ([01]\.[0-9]*, similarity 0\.[0-9]*)$'
    [ "$(grep -c 'Ada King' out)" -ge 10 ]
    outcome $? "$head: of 12 pictures 10 are hers"
    check "forget, $head" "$kiln" forget $head.plan "$somebody"
    check "classify without, $head" "$kiln" classify $head.plan "test/$somebody/"* --top 99
    [ "$(grep -c "$somebody (" out)" -eq 0 ] && ! grep -q "$somebody" $head.plan
    outcome $? "$head: nothing of $somebody is left"
    check "forget the enrolled, $head" "$kiln" forget $head.plan 'Ada King'
    check "the others, $head" "$kiln" classify $head.plan "test/$new/"* --far 1
    told 'as before' ": $new ([01]\.[0-9]*, similarity"
done

# Who.
check 'who' "$kiln" who faces.plan "${pictures[0]}" --nearest 3
[ "$(wc -l <out)" -eq 4 ] && sed -n 2p out | grep -q "$new .* nearest picture: $(basename "${pictures[0]}")"
outcome $? 'the nearest is the picture itself'
check 'who, json' "$kiln" who faces.plan "${pictures[0]}" --json
"$json_check" <out
outcome $? 'sound JSON'

# Explained.
check 'explain' "$kiln" explain faces.plan "${pictures[0]}" --far 0.3 --report why.html --pictures known
told 'the answer' "^${pictures[0]}: $new"
told 'more than asked' 'more similarity than is asked for'
grep -c '<img ' why.html >out && [ "$(cat out)" -ge 1 ] && ! grep -q 'http' why.html
outcome $? 'a page with pictures'
check 'explain a stranger' "$kiln" explain faces.plan "$(ls unseen/*/* | head -1)" --json
"$json_check" <out
outcome $? 'sound JSON'
told 'unknown' '"answer": "unknown"'
told 'what would help' 'would make it'

# Measured.
mkdir open && cp -r test/* unseen/* open/
check 'evaluate' "$kiln" evaluate faces.plan test
refuses 1 '--strangers takes such folders as strangers' "$kiln" evaluate faces.plan open
check 'evaluate strangers' "$kiln" evaluate faces.plan open --strangers --far 0.05 --report curve.html
told 'strangers' 'strangers: 48 pictures, and 24 of people; intervals of 95 % (Wilson)'
told 'FPIR' 'strangers who pass (FPIR) .* of 48$'
told 'FNIR' 'people not named (FNIR) .* of 24$'
told 'rates' 'named where 1 % of these pass'
grep -q '<polyline ' curve.html && ! grep -q 'nan' curve.html
outcome $? 'a curve'
check 'evaluate strangers, json' "$kiln" evaluate faces.plan open --strangers --json
"$json_check" <out
outcome $? 'sound JSON'
refuses 2 '--report needs --strangers' "$kiln" evaluate faces.plan test --report x.html

# Renamed, corrected, forgotten.
check 'rename' "$kiln" rename faces.plan "$new" 'Ada Lovelace'
check 'classify renamed' "$kiln" classify faces.plan "${pictures[0]}" --far 0.3
told 'new name' ': Ada Lovelace ('
check 'rename back' "$kiln" rename faces.plan 'Ada Lovelace' "$new"
same 'the same again' faces.plan anew.plan
refuses 1 "did you mean $somebody" "$kiln" rename faces.plan "${somebody:0:2}" x
refuses 1 "somebody is called '$somebody' already" "$kiln" rename faces.plan "$new" "$somebody"
victim=$(ls unseen/*/* | head -1)
check 'not' "$kiln" not faces.plan "$somebody" "$victim"
told 'what is asked from now on' "who is asked to be $somebody is to be more similar than it, -*0\.[0-9]*$"
check 'corrected' "$kiln" people faces.plan
told 'one correction' "^$somebody  *9  *1 "
check 'forget' "$kiln" forget faces.plan "$new"
check 'classify forgotten' "$kiln" classify faces.plan "${pictures[0]}"
! grep -q ": $new (" out && ! grep -q "$new" faces.plan
outcome $? 'nothing of them is left'
cp faces.plan before.plan
refuses 1 "nobody is called 'nobody'" "$kiln" forget faces.plan "$somebody" nobody
cmp faces.plan before.plan
outcome $? 'all or none'

# What cannot be done changes nothing.
echo no >no.jpg
refuses 1 'nothing has been changed' "$kiln" enrol faces.plan zora no.jpg
cmp faces.plan before.plan
outcome $? 'the plan is as it was'
refuses 1 'no.jpg' "$kiln" enrol faces.plan zora no.jpg "${pictures[0]}"
check 'the other picture' "$kiln" people faces.plan
told 'it was enrolled' '^zora  *1 '
refuses 1 'knows no people' "$kiln" enrol backbone.plan zora "${pictures[0]}"
refuses 1 'knows no people' "$kiln" people backbone.plan
refuses 2 'expected' "$kiln" enrol faces.plan zora
refuses 2 'expected' "$kiln" forget faces.plan
check 'no people' "$kiln" train backbone.plan known -o none.plan --no-people --epochs 1 --no-checkpoint
refuses 1 'knows no people' "$kiln" people none.plan
refuses 1 'knows no people' "$kiln" classify none.plan "${pictures[0]}" --far 0.1
refuses 1 'knows no people' "$kiln" evaluate none.plan open --strangers

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
