#!/bin/bash
# examples/slurm on a Slurm of one node and two processors, on loopback, started and stopped here: all pictures as one
# process has them, though a process is killed and its job requeued.
#
#   slurm.sh ROOT WORK
set -euo pipefail
root=$1 work=$2/slurm
cd "$2"
rm -rf "$work" && mkdir -p "$work"/{state,spool}
export SLURM_CONF=$work/slurm.conf PATH=$PATH:/usr/sbin

daemons=()
stop() {
    scancel --user "$(id -un)" 2>/dev/null || true
    sleep 1
    kill "${daemons[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap stop EXIT
start() { # NAME COMMAND...
    "${@:2}" >"$work/$1.out" 2>&1 &
    daemons+=($!)
}
until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "waited $1 s for: ${*:2}"; tail -n 20 "$work"/*.out "$work"/*.log; return 1; }
        sleep 0.2
    done
}

cat >"$SLURM_CONF" <<END
ClusterName=kiln
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
SlurmctldPort=17817
SlurmdPort=17818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
NodeName=kiln NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes=kiln Default=YES MaxTime=INFINITE State=UP
END
touch "$work/cgroup.conf"
head -c 128 /dev/urandom >"$work/munge.key"
chmod 600 "$work/munge.key"
start munged munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
    --pid-file="$work/munge.pid" --seed-file="$work/munge.seed" --log-file="$work/munge.log"
until_true 10 test -S "$work/munge.socket"
start slurmctld slurmctld -D -c
start slurmd slurmd -D -c -N kiln
until_true 30 sh -c 'sinfo -h -o %T | grep -qx idle'

# ---- An array of six, of which one process is killed, and its merge ----
rm -rf parts merged.*
begin=$SECONDS
read -r array merge < <("$root/examples/slurm/submit.sh" "$PWD/faces.plan" "$PWD/list.txt" \
    "$PWD/parts" 6 "$PWD/merged" --output="$work/job-%A-%a.txt")
running() { pgrep -f "^kiln embed $PWD/faces.plan .*--shard"; }
kill_one() {
    victim=$(running | head -1) && [ -n "$victim" ] && sleep 0.2 && kill -9 "$victim"
}
until_true 60 kill_one
echo "killed $victim"
finished() { [ -z "$(squeue -h -j "$array,$merge" 2>/dev/null)" ]; }
until_true 300 finished
echo "the array, one killed and requeued, and the merge: $((SECONDS - begin)) s"
grep -rlq 'Restarts=1' <(scontrol show job "$array") || { scontrol show job "$array"; exit 1; }
scontrol show job "$merge" | grep -q JobState=COMPLETED || { cat "$work"/job-*; exit 1; }

# ---- Nothing is lost, nothing is doubled ----
cmp merged.npy one.npy
python3 - list.txt merged.jsonl <<'END'
import json, sys
pictures = open(sys.argv[1]).read().split("\n")[:-1]
told = [json.loads(line) for line in open(sys.argv[2])]
assert [t["image"] for t in told] == pictures, "pictures were lost, or doubled, or have changed places"
rows = [face["row"] for t in told for face in t.get("faces", [])]
assert rows == list(range(len(rows))) and sum("error" in t for t in told) == len(told) - len(rows) >= 2
END

# ---- Submitted again, everything is there already ----
begin=$SECONDS
read -r array merge < <("$root/examples/slurm/submit.sh" "$PWD/faces.plan" "$PWD/list.txt" \
    "$PWD/parts" 6 "$PWD/merged" --output="$work/again-%A-%a.txt")
until_true 120 finished
[ "$(grep -l 'finished already' "$work"/again-*.txt | wc -l)" -eq 6 ]
cmp merged.npy one.npy
echo "the same again: $((SECONDS - begin)) s"
echo "Slurm: as one process, also when a job is killed and requeued"
