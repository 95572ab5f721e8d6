"""Who may open what: nodes, groups, polkit, the agent's own folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.discovery import readers
from agent.discovery.finding import Finding, Given, Severity, Target
from agent.discovery.machine import Node, User
from drivers.link.address import PcscAddress

UDEV_RULES = "systemd/udev/60-tillwatch.rules"
POLKIT_RULES = "systemd/polkit/60-tillwatch-pcscd.rules"
ACTIONS = ("org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card")
POLICY = "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy"
RULE_FOLDERS = ("etc/polkit-1/rules.d", "usr/share/polkit-1/rules.d", "run/polkit-1/rules.d")
_STATE_DIR = "/var/lib/tillwatch"

RESTART = "`sudo systemctl restart tillwatch`"
INSTALL_UDEV = (
    f"`sudo cp {UDEV_RULES} /etc/udev/rules.d/`",
    "`sudo udevadm control --reload`",
    "`sudo udevadm trigger --subsystem-match=usb --subsystem-match=hidraw`",
)
_IN_UNIT: Mapping[str, tuple[str, str]] = {
    "/dev/bus/usb/": ("char-189", "char-usb_device"),
    "/dev/usb/lp": ("char-180", "char-usb"),
    "/dev/hidraw": ("char-hidraw", "/dev/hidraw*"),
    "/dev/ttyUSB": ("char-188", "char-ttyUSB"),
    "/dev/ttyACM": ("char-166", "char-ttyACM"),
    "/dev/ttyAMA": ("char-204", "char-ttyAMA"),
    "/dev/ttyS": ("char-4", "char-ttyS"),
}
"""How a node begins -> what DeviceAllow= calls it (the kernel's devices.txt, and /proc/devices)."""
_INSTALL_UNIT = (
    "`sudo cp systemd/tillwatch.service /etc/systemd/system/`",
    "`sudo systemctl daemon-reload`",
    RESTART,
)
_BY_UDEV_RULES = ("/dev/bus/usb/", "/dev/usb/", "/dev/hidraw")
_INSTALL_POLKIT = (f"`sudo cp {POLKIT_RULES} /etc/polkit-1/rules.d/`", RESTART)


def permission(given: Given) -> Iterator[Finding]:
    user = given.user
    for target in given.targets:
        if not target.opened or given.is_pcscds(target):
            continue
        for path in given.nodes(target):
            node = given.machine.node(path)
            if node is not None and not user.may_use(node):
                yield Finding(
                    kind="no_permission",
                    severity=Severity.STOPS,
                    layer="agent",
                    device=target.device,
                    what=f"{target.name}: the user {user.name} may not open {path}",
                    why=f"{path} is {node.shown()}; {user.name} is in {_listed(user)} ({user.how})",
                    mend=_mend(node, user),
                )


def unit_denies(given: Given) -> Iterator[Finding]:
    """systemd keeps devices from the service that its unit does not name."""
    unit = given.machine.unit_of(given.source)
    if (unit.get("DevicePolicy") or ["auto"])[-1] == "auto" and not unit.get("DeviceAllow"):
        return
    allowed = {line.split()[0] for line in unit.get("DeviceAllow", ()) if line}
    for target in given.targets:
        for node in given.nodes(target) if target.opened else ():
            names = next((names for start, names in _IN_UNIT.items() if node.startswith(start)), ())
            if names and not allowed & {node, *names}:
                yield Finding(
                    kind="unit_denies",
                    severity=Severity.STOPS,
                    layer="agent",
                    device=target.device,
                    what=f"{target.name}: tillwatch.service does not let the agent at {node}",
                    why=f"its DeviceAllow names neither {' nor '.join(names)}",
                    mend=_INSTALL_UNIT,
                )


def user_missing(given: Given) -> Iterator[Finding]:
    """systemd does not start a service whose user or group does not exist."""
    name = (given.machine.unit_of(given.source).get("User") or [""])[-1]
    if name and name not in given.machine.users:
        yield Finding(
            kind="user_missing",
            severity=Severity.STOPS,
            layer="agent",
            what=f"the user {name}, whom tillwatch.service runs as, does not exist",
            why="systemd does not start the service then (217/USER)",
            mend=(
                "`sudo cp systemd/sysusers.d/tillwatch.conf /etc/sysusers.d/`",
                "`sudo systemd-sysusers`",
                RESTART,
            ),
        )


def group_missing(given: Given) -> Iterator[Finding]:
    """Likewise for a group that it names beside its own."""
    named = [
        group
        for line in given.machine.unit_of(given.source).get("SupplementaryGroups", ())
        for group in line.split()
    ]
    for group in dict.fromkeys(named):
        if group not in given.machine.groups:
            yield Finding(
                kind="group_missing",
                severity=Severity.STOPS,
                layer="agent",
                what=f"the group {group}, which tillwatch.service names, does not exist",
                why="systemd does not start the service then (216/GROUP)",
                mend=(f"`sudo groupadd --system {group}`", RESTART),
            )


def polkit(given: Given) -> Iterator[Finding]:
    """pcscd asks polkit, which lets in whoever sits at the screen, and no service."""
    user = given.user
    through = [target for target in given.targets if isinstance(target.at, PcscAddress)]
    if not through or user.is_root or not given.machine.exists(POLICY):
        return
    try:
        rules = [text for folder in RULE_FOLDERS for _, text in given.machine.texts(f"{folder}/*.rules")]
    except PermissionError as closed:
        if all(_works(given, target) for target in through):
            return
        yield Finding(
            kind="polkit_unseen",
            severity=Severity.UNKNOWN,
            layer="agent",
            device=through[0].device,
            what=f"whether polkit lets {user.name} use pcscd cannot be seen",
            why=f"{closed.filename} may not be read",
            mend=given.again,
        )
        return
    missing = [action for action in ACTIONS if not any(_lets_in(text, action, user) for text in rules)]
    for target in through if missing else ():
        yield Finding(
            kind="polkit_rule_missing",
            severity=Severity.STOPS,
            layer="agent",
            device=target.device,
            what=f"{target.name}: polkit does not let {user.name} use pcscd",
            why=f"no rule gives it {' and '.join(missing)}",
            mend=_INSTALL_POLKIT,
        )


def state_dir(given: Given) -> Iterator[Finding]:
    """Where events wait to be sent."""
    user = given.user
    installed = given.config is None or bool(given.machine.unit_of(given.source))
    path = _STATE_DIR if installed or given.config is None else str(given.config.agent.state_dir)
    node = given.machine.node(path)
    if node is None or user.may_use(node):
        return  # systemd, or the agent, makes it
    yield Finding(
        kind="state_dir",
        severity=Severity.STOPS,
        layer="agent",
        what=f"the user {user.name} may not write to {path}, where events wait to be sent",
        why=f"{path} is {node.shown()}",
        mend=(f"`sudo chown -R {user.name} {path}`", RESTART),
    )


def _mend(node: Node, user: User) -> tuple[str, ...]:
    if node.mode & 0o060 == 0o060 and node.group != "root":
        return (f"`sudo usermod -aG {node.group} {user.name}`", RESTART)
    if node.path.startswith(_BY_UDEV_RULES):
        return (*INSTALL_UDEV, RESTART)
    return (f"give the user {user.name} the right to read and write it",)


def _listed(user: User) -> str:
    return f"the groups {', '.join(sorted(user.groups))}" if user.groups else "no group"


def _lets_in(rule: str, action: str, user: User) -> bool:
    """A rule is a program; this is as near as reading it comes."""
    return action in rule and any(
        f'"{name}"' in rule or f"'{name}'" in rule for name in (user.name, *user.groups)
    )


def _works(given: Given, target: Target) -> bool:
    return given.condition(target, "no_permission") is False


def pcscd_down(given: Given) -> Iterator[Finding]:
    for target in given.targets:
        if isinstance(target.at, PcscAddress) and not readers.pcscd_is_here(given.machine):
            yield Finding(
                kind="card_service_down",
                severity=Severity.STOPS,
                layer="agent",
                device=target.device,
                what=f"{target.name}: the smart-card service (pcscd) does not run",
                why=f"there is no {readers.SOCKET}",
                mend=("`sudo apt-get install pcscd`", "`sudo systemctl enable --now pcscd.socket`"),
            )
