#!/bin/bash
# examples/spark/embed.py on a cluster of two workers (local-cluster: processes of their own): all pictures as one
# process has them, bit for bit; the same when an executor is killed in the middle, and when a Python worker is.
#
#   spark.sh ROOT WORK
set -euo pipefail
root=$1 work=$2
"$root/tests/cluster/python.sh" "$root" "$work"
export PYSPARK_PYTHON=$work/python/bin/python SPARK_LOCAL_IP=127.0.0.1
cd "$work" # where Spark keeps the folders of its workers

# submit OUTPUT: in the background; $job is its process.
submit() {
    rm -rf "$1"
    begin=$SECONDS
    "$work/python/bin/spark-submit" --master 'local-cluster[2,1,1024]' --driver-memory 1g \
        --conf spark.ui.enabled=false --conf spark.executor.memory=1g \
        "$root/examples/spark/embed.py" faces.plan --paths list.txt "$1" >"$1.log" 2>&1 &
    job=$!
}

descendants() { # PROCESS
    local child
    for child in $(pgrep -P "$1"); do
        echo "$child"
        descendants "$child"
    done
}

# victim WHAT: the first process of the job that is one.
victim() {
    local process command
    for process in $(descendants "$job"); do
        command=$(tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null) || continue
        case $1:$command in
        executor:*CoarseGrainedExecutorBackend*) echo "$process" && return ;;
        worker:*pyspark.daemon*) # the workers are the daemon's children
            pgrep -P "$process" && return ;;
        esac
    done
    return 1
}

# Once a first task is done, so that something could be lost or doubled.
kill_in_the_middle() { # WHAT OUTPUT
    local process
    until compgen -G "$2/_temporary/0/task_*" >/dev/null; do
        kill -0 "$job" || { tail -n 20 "$2.log"; return 1; }
        sleep 0.1
    done
    process=$(victim "$1" | head -1)
    kill -9 "$process"
    echo "killed the $1 $process"
}

check() { # OUTPUT
    wait "$job" || { tail -n 20 "$1.log"; return 1; }
    echo "$1: $((SECONDS - begin)) s, start-up included"
    "$PYSPARK_PYTHON" "$root/tests/cluster/compare.py" "$1" one.npy one.npy.names list.txt
}

submit plain.parquet
check plain.parquet
for what in executor worker; do
    submit "$what.parquet"
    kill_in_the_middle $what "$what.parquet"
    check "$what.parquet"
    grep -q 'Lost task' "$what.parquet.log" || { echo "no task was lost"; exit 1; }
done
echo "Spark: as one process, also when an executor or a worker is killed"
