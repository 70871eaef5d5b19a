#!/bin/bash
# Pictures a second, on a machine that does nothing else: speed.sh ROOT WORK [LIST [PICTURES [ROUNDS]]]
set -euo pipefail
root=$1 work=$2
[ -x "$work/python/bin/spark-submit" ] || "$root/tests/cluster/python.sh" "$root" "$work"
export PYSPARK_PYTHON=$work/python/bin/python SPARK_LOCAL_IP=127.0.0.1
cd "$work"
"$PYSPARK_PYTHON" "$root/tests/cluster/speed.py" "$(command -v kiln)" faces.plan "${3:-list.txt}" "${@:4}" 2>speed.log ||
    { tail -n 20 speed.log; exit 1; }
