#!/bin/bash
# Kiln under the engines that people have: Spark (a cluster of two workers on this machine) and Slurm (of one node,
# started and stopped here). 2,000 drawn pictures; workers and jobs are killed in the middle. Installs what it needs:
# Debian packages (root or sudo), and Python's in build/release/cluster. Ten minutes on two cores.
#
#   cluster.sh [spark] [slurm] [speed]        (default: spark slurm; speed measures)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD build=$PWD/build/release work=$PWD/build/release/cluster
engines=${*:-spark slurm}

packages=(python3-venv procps)
[[ $engines == *sp* ]] && packages+=(default-jdk-headless)
[[ $engines == *slurm* ]] && packages+=(slurmctld slurmd slurm-client munge)
examples/packages.sh "${packages[@]}"

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
[ -f "$build/build.ninja" ] || cmake --preset release "${launcher[@]}" >/dev/null
cmake --build "$build" --target kiln-cli kiln-faces | tail -1
mkdir -p "$work"
PATH=$build/compiler/cli:$build/models/faces:$PATH

# People, 20 pictures of each; of ten of them a classifier with its detector. Among the pictures are one that is
# damaged and one without a face.
if [ ! -f "$work/list.txt" ]; then
    kiln-faces -o "$work/people" --people 100 --pictures 20 --size 128 --scenes
    kiln compile models/faces/backbone.onnx -o "$work/net.plan" --preprocess tf >/dev/null
    mkdir -p "$work/ten"
    for person in $(find "$work/people" -mindepth 1 -maxdepth 1 | sort | head -10); do
        ln -sfn "$person" "$work/ten/$(basename "$person")"
    done
    kiln train "$work/net.plan" "$work/ten" -o "$work/faces.plan" --bundle \
        --detector models/faces/detector.onnx >/dev/null
    find "$work/people" -name '*.png' | sort >"$work/all.txt"
    head -c 500 "$(head -1 "$work/all.txt")" >"$work/people/damaged.png"
    kiln-faces -o "$work/people" --empty 1 --size 128
    find "$work/people" -name '*.png' | sort >"$work/list.txt"
fi
[ "$(wc -l <"$work/list.txt")" -ge 2002 ]

# What one process makes of them: its rows, and a line a picture. Two pictures fail.
[ -f "$work/one.npy" ] ||
    kiln embed "$work/faces.plan" --list "$work/list.txt" -o "$work/one.npy" 2>/dev/null ||
    [ $? -eq 1 ]

for engine in $engines; do
    printf '\n== %s\n' "$engine"
    "tests/cluster/$engine.sh" "$root" "$work"
done
