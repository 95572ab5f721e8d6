#!/bin/sh
# Installs the Debian packages that the tests use, if they are missing.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=""
want() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
want mosquitto mosquitto
want mosquitto_sub mosquitto-clients
want strace strace
[ -z "$missing" ] && exit 0
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1 || ! sudo -n true 2>/dev/null; then
        echo "missing Debian packages:$missing; install them: apt-get install$missing" >&2
        exit 1
    fi
    sudo="sudo"
fi
# The brokers are started by the tests themselves, so the packages start no service of their own.
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
