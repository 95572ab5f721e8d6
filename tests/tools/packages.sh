#!/bin/sh
# Installs the Debian packages that the tests use, if they are missing.
# With `bench`, also the agents that `make bench` measures beside ours; those may be missing, so that never fails.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=""
want() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
want mosquitto mosquitto
want mosquitto_sub mosquitto-clients
want strace strace
want udevadm udev
want umockdev-run umockdev
/usr/bin/python3 -c "import gi; gi.require_version('UMockdev', '1.0')" 2>/dev/null ||
    missing="$missing python3-gi gir1.2-umockdev-1.0"
want ip iproute2
want snmpd snmpd
want cupsd cups-daemon
want lpadmin cups-client
want ippeveprinter cups-ipp-utils
want dbus-daemon dbus-daemon
want Xvfb xvfb
want xdotool xdotool
want xprintidle xprintidle
needed="$missing"
if [ "${1-}" = bench ]; then
    want prometheus-node-exporter prometheus-node-exporter
    want collectd collectd-core
    want zabbix_agent2 zabbix-agent2
fi
[ -z "$missing" ] && exit 0
give_up() {
    echo "missing Debian packages:$missing; $1: apt-get install$missing" >&2
    [ -z "$needed" ]
    exit
}
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || give_up "install them as root"
    sudo="sudo"
fi
# Brokers and agents are started by the tests and the bench themselves: no package may start a service of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$sudo rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi
install() {
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}
$sudo apt-get update -qq || give_up "the package lists cannot be fetched"
# One by one where all at once fails: what this Debian does not have must not keep the rest away.
install $missing || for package in $missing; do
    install "$package" || case " $needed " in *" $package "*) give_up "this one fails";; esac
done
# Nor at the next boot of a developer's machine.
if command -v systemctl >/dev/null 2>&1; then
    for package in $missing; do
        $sudo systemctl disable --quiet "${package%-core}" 2>/dev/null || true # most have no service
    done
fi
