#!/bin/sh
# Installs the Debian packages that building Kiln needs, and those named as arguments. Does nothing
# when all are there. Needs root or sudo otherwise.
set -eu

packages="cmake ninja-build gcc libc6-dev pkg-config libxnnpack-dev libpthreadpool-dev
    libprotobuf-c-dev protobuf-c-compiler libxxhash-dev libjpeg-dev libpng-dev zlib1g-dev
    libheif-dev libwebp-dev libtiff-dev libgif-dev libjansson-dev $*"

if ! command -v dpkg-query >/dev/null; then
    echo "No Debian packages on this system; Kiln needs the equivalents of: $packages"
    exit 0
fi

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed*) ;; # once for each architecture
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "Installing:$missing"
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -q
# shellcheck disable=SC2086 # a list of names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
