#!/bin/bash
# clang-tidy on the files whose names, each ended by a zero byte, come in: with the options of the release build, whose
# compiler is gcc, without the one that clang refuses.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
mkdir -p build/tidy
sed 's/ -fsched-pressure / /' build/release/compile_commands.json >build/tidy/compile_commands.json || exit
# 2>/dev/null: how many warnings of system headers were left out.
xargs -0 -P "$(nproc)" -n 4 clang-tidy -quiet -p build/tidy --warnings-as-errors='*' 2>/dev/null
