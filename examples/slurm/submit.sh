#!/bin/bash
# Vectors of many pictures by Slurm: an array of N jobs, a shard each, and a job that merges their parts when all are
# done. Folders and files are the cluster's shared ones; `kiln` is found by PATH on every node.
#
#   submit.sh PLAN LIST PARTS N OUTPUT [OPTION-OF-SBATCH...]
#
# LIST names a picture a line. PARTS is the folder of parts. OUTPUT.npy gets the rows of all, OUTPUT.jsonl a line a
# picture. Prints the numbers of the array and of the merge. Submitted again, it makes what is missing.
set -euo pipefail
[ $# -ge 5 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
plan=$1 list=$2 parts=$3 shards=$4 output=$5
shift 5
array=$(sbatch --parsable --array=0-$((shards - 1)) "$@" \
    "$here/embed.sbatch" "$plan" "$list" "$parts" "$shards")
merge=$(sbatch --parsable --dependency=afterok:"$array" --kill-on-invalid-dep=yes "$@" \
    --job-name=kiln-merge --wrap "$(printf '%q ' python3 "$here/merge.py" "$parts" "$output")")
echo "$array $merge"
