#!/bin/sh
# Fetches, without root, what a guest with a kernel that has USB is booted from: into .guest, used by tests/guest.py.
set -eu
command -v qemu-system-x86_64 >/dev/null 2>&1 || {
    echo "qemu-system-x86_64 is missing: apt-get install --no-install-recommends qemu-system-x86" >&2
    exit 1
}
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
test -n "$kernel" || { echo "no linux-image-amd64 among the packages: apt-get update" >&2; exit 1; }
mkdir -p .guest
cd .guest
for package in "$kernel" busybox-static; do
    apt-get download -qq "$package"
    dpkg-deb -x "$package"_*.deb .
    rm -f "$package"_*.deb
done
