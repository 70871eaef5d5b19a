#!/bin/bash
# The lines of the examples' pages for xargs, GNU parallel and make, as they stand there but for the number of shards:
# their parts and lines are those of one process.
#   one_liners.sh KILN FACES BACKBONE EXAMPLES
set -uo pipefail
kiln=$1 faces=$2 backbone=$3 examples=$4
. "$(dirname "$0")/checks.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache HOME=$work PATH=$(dirname "$kiln"):$PATH
command -v parallel >/dev/null && command -v make >/dev/null || { echo 'GNU parallel and make are needed'; exit 77; }

"$faces" -o pictures --people 3 --pictures 8 --size 64 >/dev/null || exit 1
kiln compile "$backbone" -o net.plan --mean 127.5 --std 128 -q || exit 1
kiln train net.plan pictures -o faces.plan -q >/dev/null 2>&1 || exit 1
find pictures -name '*.png' | sort >all.txt
cp all.txt list.txt
echo : >nodes.txt # this machine, without ssh
kiln embed net.plan --list all.txt -o all.npy || exit 1
kiln embed net.plan --stream <all.txt | sort >rows
kiln classify faces.plan --stream <all.txt | sort >names

# The lines of a page from the one that begins so to the next that begins so (one line, without an end).
lines() { # PAGE BEGINNING [END]
    awk -v begin="$2" -v end="${3-$2}" 'index($0, begin) == 1 { on = 1 } on { print } index($0, end) == 1 { on = 0 }' \
        "$examples/$1" | sed 's/0 63/0 3/; s,/64,/4,; s/   *#.*//'
}
runs() { # NAME TEXT
    rm -rf parts
    [ -n "$2" ]
    outcome $? "$1: no such line"
    check "$1" bash -c "set -o pipefail; $2"
}
whole() { # NAME: the parts are there, and what one process makes
    for file in parts/part-*.npy; do tail -c +129 "$file"; done | cmp -s - <(tail -c +129 all.npy)
    outcome $? "$1: not the rows of one process"
    holds test "$(ls parts/*.npy | wc -l)" -eq 4
}

runs xargs "$(lines README.md 'seq 0 63 | xargs')"
whole xargs
runs parallel "$(lines README.md 'parallel --retries')"
whole parallel
runs pipe "$(lines README.md 'parallel --pipe')"
holds cmp names <(sort who.jsonl)
lines README.md 'parts/part-%.json: all.txt' .DEFAULT_GOAL >Makefile
runs make 'make -j8 SHELL=/bin/bash'
whole make
touch parts/*
check 'make again' make -j8 SHELL=/bin/bash
told 'make again' 'Nothing to be done'

# There the network is faces.plan.
cp net.plan faces.plan
runs 'parallel, jobs' "$(lines slurm/README.md 'seq 0 63 | parallel -j')"
whole 'parallel, jobs'
runs 'parallel, nodes' "$(lines slurm/README.md 'seq 0 63 | parallel --sshloginfile')"
whole 'parallel, nodes'
check merge python3 "$examples/slurm/merge.py" parts merged
holds cmp merged.npy all.npy
runs 'parallel, pipe' "$(lines slurm/README.md 'find pictures')"
holds cmp rows <(sort rows.jsonl)
runs 'make, one line' "$(lines slurm/README.md 'make -j 8 -f' "SHELL = bash'")"
whole 'make, one line'

echo "$passed passed, $failed failed"
exit $((failed > 0))
