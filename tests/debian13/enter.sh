#!/bin/bash
# Runs a command on Debian 13, as root: in its base system, which debootstrap unpacks into build/debian13/root and
# which stays there for the next time. This tree is /kiln there, read-only; /build stays as well.
#   enter.sh COMMAND [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$PWD/build/debian13/root
mirror=http://deb.debian.org/debian

./examples/packages.sh debootstrap
if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase trixie "$root" "$mirror"
    touch "$root/complete"
fi
mkdir -p "$root/kiln" "$root/build"

# The mounts are seen by this shell alone and end with it. XNNPACK reads /proc to know the processor.
exec unshare --mount bash -euo pipefail -s "$root" "$PWD" "$@" <<'EOF'
root=$1 source=$2
shift 2
mount --bind -o ro "$source" "$root/kiln"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@" </dev/null
EOF
