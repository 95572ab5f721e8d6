"""Who else has a device, or reaches for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.discovery import readers
from agent.discovery.checks.access import INSTALL_UDEV
from agent.discovery.finding import Finding, Given, Severity, Target
from drivers.identity import ADAPTERS
from drivers.link.address import HidAddress, PcscAddress, UsbAddress
from drivers.link.passive import Holder, UsbDevice

BRLTTY_LINE = re.compile(r"usb (\S+): usbfs: interface \d+ claimed by \S+ while '(brltty)' sets config")
_BRLTTY_RULES = ("usr/lib/udev/rules.d/*brltty*.rules", "lib/udev/rules.d/*brltty*.rules")
_MASKED = "etc/udev/rules.d"
_PASSIVE = 'if it should keep it: set access = "passive"'
MENDS = {
    "usb": ("CUPS prints to it: stop its queue with `cupsdisable QUEUE`, or share it", _PASSIVE),
    "cupsd": ("CUPS has it: stop its queue with `cupsdisable QUEUE`", _PASSIVE),
    "ipp-usb": ("`sudo systemctl disable --now ipp-usb`", _PASSIVE),
    "ModemManager": (
        *INSTALL_UDEV,
        "or, if the terminal has no modem:",
        "`sudo systemctl disable --now ModemManager`",
    ),
    "brltty": ("`sudo apt-get remove brltty`", "unplug the adapter and plug it in again"),
    "fwupd": ("it looks at each device after it is plugged in: wait a moment",),
}
"""A program, by /proc/PID/comm -> what to do about it. `usb` is the backend of CUPS."""
_ANY = ('stop that program, or let it keep the device and set access = "passive"',)


def held(given: Given) -> Iterator[Finding]:
    """Somebody has the node open that the agent would open."""
    for target in given.targets:
        if not target.opened or isinstance(target.at, (HidAddress, PcscAddress)) or given.is_pcscds(target):
            continue
        for node in given.nodes(target):
            others = [who for who in given.held.by_node.get(node, ()) if who.pid not in given.ours]
            if others:
                yield _held(target, node, others)
                break
        else:
            yield from _unseen(given, target)


def _held(target: Target, node: str, others: list[Holder]) -> Finding:
    names = ", ".join(f"{who.command} (pid {who.pid})" for who in others)
    return Finding(
        kind="held_by_other",
        severity=Severity.STOPS,
        layer="agent",
        device=target.device,
        what=f"{target.name}: {node} is open in {names}",
        mend=next((MENDS[who.command] for who in others if who.command in MENDS), _ANY),
    )


def _unseen(given: Given, target: Target) -> Iterator[Finding]:
    """A program has claimed it that we may not look into; or one may have it open."""
    usb = target.usb if isinstance(target.at, UsbAddress) else None
    claimed = usb is not None and any(one.driver == "usbfs" for one in usb.interfaces)
    if given.held.complete or (given.view is not None and given.condition(target, "held_by_other") is False):
        return
    if claimed and given.view is None:
        yield Finding(
            kind="held_by_other",
            severity=Severity.STOPS,
            layer="agent",
            device=target.device,
            what=f"{target.name}: a program has claimed it; run with sudo to see which",
            why="the kernel's driver of an interface is usbfs",
            mend=given.again,
        )
    elif target.device is not None:
        yield Finding(
            kind="holders_unseen",
            severity=Severity.UNKNOWN,
            layer="agent",
            device=target.device,
            what=f"{target.name}: whether another program has it cannot be seen; run with sudo to see",
            why="other users' processes may not be looked into",
            mend=given.again,
        )


def pcscd(given: Given) -> Iterator[Finding]:
    """A reader asked over USB that pcscd takes whenever somebody uses a card."""
    for target in given.targets:
        if target.usb is not None and target.opened and given.is_pcscds(target):
            stable = readers.stable_name(target.usb, given.attached.usb, given.machine)
            link = (
                f'write link = "{stable.path}"' if stable else 'write link = "pcsc:NAME" (see `pcsc_scan -r`)'
            )
            process = given.machine.running("pcscd")
            yield Finding(
                kind="held_by_pcscd",
                severity=Severity.STOPS,
                layer="agent",
                device=target.device,
                what=f"{target.name}: the smart-card service pcscd has the reader, or takes it when asked",
                why=f"pcscd runs (pid {process.pid})" if process else f"there is {readers.SOCKET}",
                mend=(link, 'and access = "exclusive": pcscd takes it from nobody'),
            )


def cups(given: Given) -> Iterator[Finding]:
    """A queue of CUPS for a printer that the agent opens: it takes it when somebody prints."""
    try:
        queues = given.machine.text("etc/cups/printers.conf") or ""
    except PermissionError:  # the queue shows when it prints
        return
    for target in given.targets:
        if not (target.opened and isinstance(target.at, UsbAddress) and target.usb and target.usb.serial):
            continue
        uris = re.findall(r"(?m)^DeviceURI (usb://\S+)", queues)
        if any(f"serial={target.usb.serial}" in uri for uri in uris):
            yield Finding(
                kind="cups_queue",
                severity=Severity.WARNS,
                layer="agent",
                device=target.device,
                what=f"{target.name}: CUPS has a queue for it, and takes it whenever somebody prints",
                why="etc/cups/printers.conf names it",
                mend=(
                    'if the till prints by CUPS: set access = "passive" and look = ["cups:QUEUE"]',
                    MENDS["usb"][0],
                ),
            )


def brltty(given: Given) -> Iterator[Finding]:
    """It takes a serial adapter for a braille display, and the port is gone."""
    logged = set(BRLTTY_LINE.findall(given.kernel_log))
    process = given.machine.running("brltty")
    rule = next(
        (path for path, text in given.machine.texts(*_BRLTTY_RULES) if not _masked(given, path)), None
    )
    with_port = {port.usb.port for port in given.attached.ports if port.usb}
    for usb in given.attached.usb:
        if usb.port in with_port or usb.vid not in ADAPTERS:
            continue
        why = _brltty_took(given, usb, logged={port for port, _ in logged}, runs=process is not None)
        if why is None and rule is not None and usb.vid == 0x1A86:
            why = f"/{rule} is installed, and the adapter has no port"
        if why:
            absent = any(
                target.port is None and target.link.startswith("serial:") for target in given.targets
            )
            yield Finding(
                kind="taken_by_brltty",
                severity=Severity.STOPS if absent or given.config is None else Severity.WARNS,
                layer="agent",
                what=f"brltty has taken the {ADAPTERS[usb.vid]} at USB {usb.port} for a braille display, "
                "so it has no serial port",
                why=why,
                mend=MENDS["brltty"],
            )


def _brltty_took(given: Given, usb: UsbDevice, *, logged: set[str], runs: bool) -> str | None:
    has_it = [who for who in given.held.by_node.get(usb.bus_node or "", ()) if who.command == "brltty"]
    if has_it:
        return f"{usb.bus_node} is open in brltty (pid {has_it[0].pid})"
    if usb.port in logged:
        return "the kernel's log says that it was claimed while brltty set its configuration"
    return "brltty runs, and the adapter has no port" if runs else None


def _masked(given: Given, rule: str) -> bool:
    """A rule of the same name in /etc, mostly a link to /dev/null, takes its place."""
    return given.machine.exists(f"{_MASKED}/{rule.rpartition('/')[2]}")


def modem_manager(given: Given) -> Iterator[Finding]:
    """It may ask each new port whether it is a modem: AT commands, which a printer prints."""
    process = given.machine.running("ModemManager")
    if process is None:
        return
    told = ("ID_MM_DEVICE_IGNORE", "ID_MM_PORT_IGNORE")
    for target in given.targets:
        if target.port is None or target.port.usb is None:
            continue
        kept = given.machine.udev(target.port.usb.number) | given.machine.udev(target.port.number)
        if not any(kept.get(key) == "1" for key in told):
            yield Finding(
                kind="modem_manager",
                severity=Severity.WARNS,
                layer="agent",
                device=target.device,
                what=f"{target.name}: ModemManager may ask this port whether it is a modem",
                why=f"it runs (pid {process.pid}), and udev does not set ID_MM_DEVICE_IGNORE for the port",
                mend=INSTALL_UDEV,
            )
