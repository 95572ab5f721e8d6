"""The agent itself: whether it runs, what it needs, what it has met; and the machine's own watchdog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agent.diagnosis.catalogue import CATALOGUE
from agent.discovery.finding import Finding, Given, Severity
from drivers.link.address import SerialAddress

LIBRARIES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "serial": (("serial", "pyserial"),),
    "usb": (("usb", "pyusb"), ("libusb_package", "libusb-package")),
    "pcsc": (("smartcard", "pyscard"),),
}
"""Link scheme -> modules that its link imports, and the packages they are in."""
_INSTALL = {"pyscard": "`/opt/tillwatch/bin/pip install 'tillwatch[pcsc]'`"}
_OF_THE_WAY = ("no_permission", "held_by_other", "card_service_down", "driver_stuck", "pass_through_down")
"""What the running daemon has met on its way to a device."""
_SPEED = (
    "read speed and parity from the device's switches, or from its self-test print (hold FEED at power-on)",
    "write them into the link, such as ?baud=9600&parity=N",
)
_DRIVER = "check that the driver is the device's own"
_NOT_RUNNING = "no daemon runs, so nothing is watched"


def library(given: Given) -> Iterator[Finding]:
    seen: set[str] = set()
    for target in given.targets:
        scheme = target.at.scheme
        for module, package in LIBRARIES.get(scheme, ()) if target.opened else ():
            if package in seen or given.has_module(module):
                continue
            seen.add(package)
            yield Finding(
                kind="library_missing",
                severity=Severity.STOPS,
                layer="agent",
                device=target.device,
                what=f"{target.name}: {scheme}: links need the package {package}, which is not installed",
                why=f"there is no module {module}",
                mend=(_INSTALL.get(package, f"`/opt/tillwatch/bin/pip install {package}`"),),
            )


def unread(given: Given) -> Iterator[Finding]:
    if given.unread:
        yield Finding(
            kind="config_unseen",
            severity=Severity.UNKNOWN,
            layer="agent",
            what=f"the configuration may not be read, so what is attached is looked at: {given.unread}",
            mend=given.again,
        )


def daemon(given: Given) -> Iterator[Finding]:
    if given.config is None or given.view is not None:
        return
    if given.refused:
        yield Finding(
            kind="daemon_unseen",
            severity=Severity.UNKNOWN,
            layer="agent",
            what="what the running daemon has met could not be asked",
            why=given.refused,
            mend=given.again,
        )
        return
    unit = given.machine.unit_of(given.source)
    start = (
        "`sudo systemctl enable --now tillwatch`"
        if unit
        else f"`tillwatch run --config {given.config.source}`"
    )
    runs = given.machine.daemon(given.source)
    yield Finding(
        kind="daemon_not_running",
        severity=Severity.STOPS,
        layer="agent",
        what=f"the daemon runs (pid {runs.pid}) and does not answer" if runs else _NOT_RUNNING,
        why=f"nobody answers for {given.config.source}",
        mend=(start, "`journalctl -u tillwatch -n 20`") if unit else (start,),
    )


def garbled(given: Given) -> Iterator[Finding]:
    """From what the daemon has read; the port is not opened to find out."""
    for target in given.targets:
        if given.condition(target, "garbled"):
            at = target.at
            how = (
                f"{at.baud} baud, {at.bits}{at.parity}"
                if isinstance(at, SerialAddress)
                else "another protocol"
            )
            yield Finding(
                kind="garbled",
                severity=Severity.STOPS,
                layer="link",
                device=target.device,
                what=f"{target.name}: what comes from it is not the protocol of {target.driver}",
                why=f"the running daemon says so, at {how}",
                mend=((*_SPEED, _DRIVER) if isinstance(at, SerialAddress) else (_DRIVER,)),
            )


def met(given: Given) -> Iterator[Finding]:
    """What the daemon has met, and these files do not explain."""
    for target in given.targets:
        for kind in _OF_THE_WAY:
            if given.condition(target, kind):
                known = CATALOGUE[kind]
                yield Finding(
                    kind=kind,
                    severity=Severity.STOPS,
                    layer="agent",
                    device=target.device,
                    what=f"{target.name}: {known.meaning}",
                    why="the running daemon says so",
                    mend=("`tillwatch status`", "`journalctl -u tillwatch -n 50`"),
                )


def watchdog(given: Given) -> Iterator[Finding]:
    """The hardware restarts a terminal that hangs altogether, if somebody pats it."""
    home = given.machine.path("sys/class/watchdog")
    dogs = sorted(entry.name for entry in home.iterdir()) if home.is_dir() else []
    states = {dog: (given.machine.text(f"sys/class/watchdog/{dog}/state") or "").strip() for dog in dogs}
    if "active" in states.values() or _systemd_pats(given):
        return
    pats = (
        "`sudo mkdir -p /etc/systemd/system.conf.d`",
        "`printf '[Manager]\\nRuntimeWatchdogSec=30\\n' | sudo tee /etc/systemd/system.conf.d/watchdog.conf`",
        "`sudo systemctl daemon-reexec`",
    )
    load = (
        "load its driver: `sudo modprobe iTCO_wdt` (Intel), `sp5100_tco` (AMD), or softdog without hardware"
    )
    yield Finding(
        kind="watchdog_off",
        severity=Severity.WARNS,
        layer="agent",
        what="no watchdog would restart this terminal if it hung altogether",
        why=f"{dogs[0]} is {states[dogs[0]] or 'not active'}" if dogs else "the kernel has found none",
        mend=pats if dogs else (load, *pats),
    )


def _systemd_pats(given: Given) -> bool:
    texts = [given.machine.text("etc/systemd/system.conf") or ""]
    texts += [text for _, text in given.machine.texts("etc/systemd/system.conf.d/*.conf")]
    values = [value for text in texts for value in re.findall(r"(?m)^RuntimeWatchdogSec=(\S+)", text)]
    return bool(values) and values[-1] not in ("0", "off", "infinity")
