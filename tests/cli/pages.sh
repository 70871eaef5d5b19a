#!/bin/bash
# The pages that kiln writes, in a real browser: no console message, every curve and picture drawn,
# nothing wider than the window. Skipped (77) where there is no chromium.
#   pages.sh KILN FACES BACKBONE
set -uo pipefail
kiln=$1 faces=$2 backbone=$3
browser=$(command -v chromium) || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME=$work XDG_CACHE_HOME=$work/cache

# seen PAGE [WIDTH]: what the browser made of it at so many pixels (1280), in one line; console messages go to the file console.
seen() {
    { cat "$1"; echo "<script>const width = ${2:-1280};</script>"; cat <<'SCRIPT'; } >probe.html
<script>
// Draws pictures to decode them at once: the browser's virtual time does not wait for decode().
const canvas = document.createElement('canvas').getContext('2d');
const draws = picture => { try { canvas.drawImage(picture, 0, 0); return true; } catch { return false; } };
addEventListener('load', () => {
  const pictures = [...document.images];
  const drawn = pictures.filter(p => p.naturalWidth > 1 && p.getBoundingClientRect().width > 1 && draws(p));
  const curves = [...document.querySelectorAll('svg polyline, svg path')]
      .filter(line => line.getTotalLength() > 50);
  const boxes = [...document.querySelectorAll('svg rect')]
      .filter(box => box.getBoundingClientRect().width > 0);
  for (const hidden of document.querySelectorAll('details')) hidden.open = true;
  document.documentElement.style.width = width + 'px'; // windows have a least width
  const sticks = e => e.getBoundingClientRect().right > width + 0.5;
  const fits = [...document.body.querySelectorAll('*')].some(sticks) ? 'wide' : 'fits';
  const narrow = [...document.querySelectorAll('*')].some(e => e.scrollWidth > e.clientWidth + 1 &&
      getComputedStyle(e).overflowX === 'auto') ? 'scrolls' : 'whole';
  document.body.textContent = `SEEN pictures ${pictures.length} drawn ${drawn.length} ` +
      `curves ${curves.length} boxes ${boxes.length > 0} ${fits} ${narrow} NEES`;
});
</script>
SCRIPT
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --window-size=1280,2000 --enable-logging=stderr \
        --virtual-time-budget=10000 --dump-dom "file://$work/probe.html" 2>log |
        sed -n 's/.*SEEN \(.*\) NEES.*/\1/p'
    grep CONSOLE log >console
}

failed=0
expect() { # NAME FOUND PATTERN
    if [[ $2 =~ ^$3$ ]] && [ ! -s console ]; then
        echo "$1: $2"
    else
        echo "FAILED: $1: '$2', not '$3'"
        cat console
        failed=1
    fi
}

"$faces" -o people --people 6 --pictures 8 --size 64 >/dev/null &&
    "$kiln" compile "$backbone" -o net.plan --mean 127.5 --std 128 -q &&
    "$kiln" train net.plan people -o good.plan --report good.html -q --epochs 20 --head softmax &&
    "$kiln" train net.plan people -o once.plan --report once.html -q --head lda &&
    "$kiln" train --from-scratch people -o poor.plan --report poor.html -q --epochs 2 \
        --head softmax --input-size 8x8 &&
    "$kiln" inspect net.plan --html net.html || exit 1
expect 'training, few mistakes' "$(seen good.html)" 'pictures ([0-9]+) drawn [0-9]+ curves 4 boxes .* fits whole'
expect 'computed at once' "$(seen once.html)" 'pictures ([0-9]+) drawn [0-9]+ curves 0 boxes .* fits whole'
found=$(seen poor.html)
expect 'training, many mistakes' "$found" 'pictures ([1-9][0-9]*) drawn [1-9][0-9]* curves 4 boxes true fits whole'
pictures=$(sed 's/pictures \([0-9]*\).*/\1/' <<<"$found")
expect 'all its thumbnails' "$found" "pictures $pictures drawn $pictures .*"
expect 'inspection' "$(seen net.html)" '.* boxes true fits .*'

# On a phone, with names that have no spaces, and a thousand classes: a page that is small and does not scroll
# sideways. Mistakes have the names of their files.
grep -q '<small>[a-z]*/[0-9]*.png</small>' poor.html || { echo 'FAILED: no names of files'; failed=1; }
grep -q 'strangers are refused below a similarity of' good.html || { echo 'FAILED: no threshold of strangers'; failed=1; }
for text in '<h2>Settings</h2>' 'temperature of probabilities'; do
    grep -q "$text" poor.html || { echo "FAILED: no '$text'"; failed=1; }
done
for k in $(seq 1000); do
    mkdir -p "many/person-with-a-name-that-never-ends-$k-and-has-no-spaces"
    for n in 1 2; do
        printf 'P5 4 4 255\n%016d' "$((k * 7919 * n * n))" >"many/person-with-a-name-that-never-ends-$k-and-has-no-spaces/$n.pgm"
    done
done
"$kiln" train --from-scratch many -o many.plan --report many.html -q --epochs 2 --head softmax --input-size 4x4 \
    --validation 0.5 || failed=1
for page in good poor many; do
    expect "$page, on a phone" "$(seen $page.html 390)" 'pictures .* curves [45] .* fits whole'
done
[ "$(wc -c <many.html)" -lt 600000 ] || { echo "FAILED: $(wc -c <many.html) bytes"; failed=1; }
exit $failed
