#!/bin/bash
# Programs that get frames from a camera (examples/short.c, camera.c), beside the command on the same pictures; and
# that they are as short as is said of them.
#   camera.sh KILN FACES FRAMES NAMER SHORT CAMERA SOURCES MODELS
set -uo pipefail
kiln=$1 faces=$2 frames=$3 namer=$4 short=$5 camera=$6 sources=$7 models=$8
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache

# lines FUNCTION: from its first line to its closing brace.
lines() { awk -v name=" $1\\(" '$0 ~ name && !/;$/ { on = 1 } on { n++ } on && /^}/ { print n; exit }' "$sources/short.c"; }
for name in labels names alike; do
    echo "$name: $(lines $name) lines"
    holds test "$(lines $name)" -le 12
done
echo "camera: $(wc -l <"$sources/camera.c") lines"
holds test "$(wc -l <"$sources/camera.c")" -lt 100

# of_size WIDTH HEIGHT PICTURE...: the frames made of those of that size, at most 6.
of_size() {
    local picture
    for picture in "${@:3}"; do
        [ "$("$frames" nv21 "${picture%.png}.nv21" "$picture")" != "$1 $2" ] || echo "${picture%.png}.nv21"
    done | head -6
}

"$faces" -o people --people 3 --pictures 6 --scenes --size 320 --seed 77 >/dev/null
"$faces" -o party --people 3 --together 3 --groups 2 --size 480 --seed 77 >/dev/null
"$kiln" compile "$models/backbone.onnx" -o backbone.plan --mean 127.5 --std 128 -q
check train "$kiln" train backbone.plan people -o faces.plan --detector "$models/detector.onnx" --bundle \
    --no-checkpoint -q
party=(party/*.png)

# Names, from frames and from pictures: chroma at half the size and rounding cost a little similarity.
read -r width height < <("$frames" nv21 frame.nv21 "${party[0]}")
check names "$short" names faces.plan "$width" "$height" frame.nv21
cp out ours
"$kiln" classify faces.plan "${party[0]}" --format csv | awk -F, 'NR > 1 {
    name = $7 == "unknown" ? "?" : $7; print name, $9 }' >theirs
cat ours theirs
holds test "$(wc -l <ours)" -eq "$(wc -l <theirs)"
holds test "$(wc -l <ours)" -ge 2
paste -d' ' <(sort ours) <(sort theirs) | awk '$1 != $3 || $2 - $4 > 0.05 || $4 - $2 > 0.05 { exit 1 }'
outcome $? 'the command gives other names or similarities'

check y4m "$frames" y4m video.y4m "${party[@]}"
check camera "$camera" faces.plan video.y4m
holds test "$(grep -c '^video.y4m, frame' out)" -eq ${#party[@]}
told camera "$(awk '$1 != "?" { print $1; exit }' ours) ("
head -c $((width * height * 2)) video.y4m >cut.y4m
check 'a video that is cut short' "$camera" faces.plan cut.y4m
holds test "$(grep -c ' frame ' out)" -eq 1
echo YUV4MPEG2 W99999999 H2 >cut.y4m
refuses 1 'no YUV4MPEG2' "$camera" faces.plan cut.y4m

# A folder of dumps: each file's frame, also one that lies on its side; the same answers as for a single frame.
mkdir dumps
cp frame.nv21 dumps/2.nv21
"$frames" nv21 dumps/1.nv21 "${party[1]}" >/dev/null
check 'a folder of dumps' "$camera" faces.plan dumps "$width" "$height"
holds test "$(sed 's/,.*//' out | tr '\n' ' ')" = 'dumps/1.nv21 dumps/2.nv21 '
told 'a folder of dumps' "dumps/2.nv21, frame 1, .* $(awk '$1 != "?" { print $1; exit }' ours) ("
check 'turned frames' "$camera" faces.plan dumps "$width" "$height" 180
silent 'turned frames' " $(awk '$1 != "?" { print $1; exit }' ours) ("
head -c 999 frame.nv21 >dumps/3.nv21
refuses 1 'dumps/3.nv21: no frame of that size' "$camera" faces.plan dumps "$width" "$height"
refuses 1 'none/\*: no frame' "$camera" faces.plan none "$width" "$height"

# A stranger is made known by frames, and stays so in the plan that is saved.
"$faces" -o felix --people 1 --first-person 5 --pictures 10 --scenes --size 320 --seed 77 >/dev/null
upright=$(of_size 240 320 felix/*/*.png)
# shellcheck disable=SC2086
check enrol "$namer" faces.plan felix 240 320 more.plan $upright
holds test "$(sed -n 1p out)" != 'known felix'
holds test "$(sed -n 2p out)" = 'known felix'
check saved "$kiln" classify more.plan "$(echo "$upright" | head -1 | sed 's/nv21$/png/')"
told saved ': felix ('

# Labels and likeness by the same network without its detector.
"$kiln" train backbone.plan people -o plain.plan --no-people --no-checkpoint -q --head softmax
first=$(of_size 240 320 people/ada/*.png | head -1) other=$(of_size 240 320 people/chloe/*.png | head -1)
check labels "$short" labels plain.plan 240 320 "$first"
holds test "$(wc -l <out)" -eq 3
label=$(head -1 out | cut -d' ' -f1)
holds test "$label" = "$("$kiln" classify plain.plan "${first%.nv21}.png" --format csv | awk -F, 'NR == 2 { print $2 }')"
check itself "$short" alike backbone.plan 240 320 "$first" "$first"
told itself '^1.0000$'
check others "$short" alike backbone.plan 240 320 "$first" "$other"
silent others '^1.0000$'
alike=$(cat out)
check compare "$kiln" compare backbone.plan "${first%.nv21}.png" "${other%.nv21}.png"
holds awk -v ours="$alike" '{ exit !($2 - ours < 0.05 && ours - $2 < 0.05) }' out
printf '%d passed, %d failed\n' $passed $failed
exit $((failed > 0))
