"""The rules in systemd/, judged by udev and polkit's own language: who may open what of a counter.

udev sees umockdev's devices; rules and groups are in a mount namespace, so that the machine stays as it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

SYSTEMD = Path(__file__).parents[2] / "systemd"
RULES = SYSTEMD / "udev/60-tillwatch.rules"
POLKIT = SYSTEMD / "polkit/60-tillwatch-pcscd.rules"
RUN_S = 60
NEEDED = ("umockdev-run", "udevadm", "unshare")
missing = [tool for tool in NEEDED if shutil.which(tool) is None]
needs_udev = pytest.mark.skipif(
    bool(missing) or os.geteuid() != 0,
    reason=f"needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}",
)
_BUS = "/devices/pci0000:00/usb1"

SCRIPT = """
mount -t tmpfs none /run && mkdir -p /run/udev/rules.d
cp {rules} /run/udev/rules.d/
cp /etc/group {folder}/group && echo tillwatch:x:990: >> {folder}/group
mount --bind {folder}/group /etc/group
umockdev-run --device {folder}/devices -- sh -c 'for path in {paths}; do
    echo "== $path"; udevadm test --action=add /sys$path; done' 2>&1
"""


@dataclass(frozen=True)
class Plugged:
    """A device with one interface, and what udev shall do: the node's group and mode, and no modem."""

    name: str
    ids: str
    code: int
    subclass: int = 0
    protocol: int = 0
    product: str = "x"
    hidraw: bool = False
    group: str | None = None
    mode: str | None = None
    no_modem: bool = False


DEVICES = (
    Plugged("Epson TM-T20", "04b8:0e15", 7, 1, 2, group="lp", mode="0664", no_modem=True),
    Plugged("printer of another subclass", "0416:5011", 7, 9, 0, group="lp", mode="0664"),
    Plugged("Gemalto CCID", "08e6:3437", 0x0B, group="tillwatch", mode="0660"),
    Plugged("Epson DM-D", "04b8:0e70", 0xFF, product="DM-D70", group="tillwatch", mode="0660", no_modem=True),
    Plugged("Epson scanner", "04b8:013a", 0xFF, product="Perfection", mode="0664", no_modem=True),
    Plugged("CH340", "1a86:7523", 0xFF, mode="0664", no_modem=True),
    Plugged("mobile modem", "2c7c:0125", 0xFF, mode="0664"),
    Plugged("MagTek HID", "0801:0002", 3, hidraw=True, group="tillwatch", mode="0660"),
    Plugged("MagTek keyboard", "0801:0001", 3, 1, 1, hidraw=True),
    Plugged("ID TECH HID", "0acd:4450", 3, hidraw=True, group="tillwatch", mode="0660"),
    Plugged("office keyboard", "046d:c31c", 3, 1, 1, hidraw=True),
    Plugged("barcode scanner", "05e0:1300", 3, hidraw=True),
)


def _described(at: int, one: Plugged) -> tuple[str, str]:
    """As umockdev reads it, and the path of the node that counts."""
    vid, pid = (int(half, 16) for half in one.ids.split(":"))
    device = b"\x12\x01\x00\x02\x00\x00\x00\x40" + vid.to_bytes(2, "little") + pid.to_bytes(2, "little")
    device += b"\x00\x01\x01\x02\x00\x01\x09\x02\x19\x00\x01\x01\x00\x80\x32\x09\x04\x00\x00\x01"
    device += bytes((one.code, one.subclass, one.protocol, 0)) + b"\x07\x05\x81\x03\x08\x00\x0a"
    descriptors = device.hex().upper()
    home = f"{_BUS}/1-{at}"
    text = f"""P: {home}
N: bus/usb/001/{at:03d}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_device
E: MAJOR=189
E: MINOR={at}
E: DEVNAME=/dev/bus/usb/001/{at:03d}
A: idVendor={one.ids[:4]}\\n
A: idProduct={one.ids[5:]}\\n
A: product={one.product}\\n
A: bDeviceClass=00\\n
H: descriptors={descriptors}

P: {home}/1-{at}:1.0
E: SUBSYSTEM=usb
E: DEVTYPE=usb_interface
A: bInterfaceProtocol={one.protocol:02x}\\n
"""
    if not one.hidraw:
        return text, home
    node = f"{home}/1-{at}:1.0/0003:{one.ids.upper()}.0001/hidraw/hidraw{at}"
    name = f"hidraw{at}"
    text += (
        f"\nP: {node}\nN: {name}\nE: SUBSYSTEM=hidraw\nE: DEVNAME=/dev/{name}\nE: MAJOR=240\nE: MINOR={at}\n"
    )
    return text, node


@needs_udev
def test_each_device_of_a_counter_gets_its_group(tmp_path: Path) -> None:
    described = [_described(at, one) for at, one in enumerate(DEVICES, start=1)]
    (tmp_path / "devices").write_text("\n".join(text for text, _ in described))
    script = SCRIPT.format(rules=RULES, folder=tmp_path, paths=" ".join(path for _, path in described))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", script], capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "60-tillwatch.rules" in done.stdout, "udev read them"
    complaints = re.findall(r"60-tillwatch\.rules:\d+ (?!GROUP|MODE).*", done.stdout)
    assert complaints == []
    told = dict(zip([one.name for one in DEVICES], re.split(r"(?m)^== ", done.stdout)[1:], strict=True))
    seen = {name: (*_node(text), "ID_MM_DEVICE_IGNORE=1" in text) for name, text in told.items()}
    assert seen == {one.name: (one.group, one.mode, one.no_modem) for one in DEVICES}


def _node(text: str) -> tuple[str | None, str | None]:
    """The last group and mode that a rule gave."""
    group = {"7": "lp", "990": "tillwatch"}
    groups = [group.get(gid, gid) for gid in re.findall(r"rules:\d+ GROUP (\d+)", text)]
    modes = re.findall(r"rules:\d+ MODE (\d+)", text)
    return (groups or [None])[-1], (modes or [None])[-1]


def test_no_node_is_open_to_everybody() -> None:
    assert not re.search(r'MODE="0?\d\d[2367]"', RULES.read_text())


_POLKIT = """
let rule = null;
const polkit = {addRule: r => { rule = r; }, Result: {YES: "yes"}};
%s
const ask = (id, user) => rule({id}, {user, groups: []}) ?? null;
console.log(JSON.stringify([
  ask("org.debian.pcsc-lite.access_pcsc", "tillwatch"), ask("org.debian.pcsc-lite.access_card", "tillwatch"),
  ask("org.debian.pcsc-lite.access_card", "mallory"), ask("org.freedesktop.login1.reboot", "tillwatch")]));
"""


@pytest.mark.skipif(
    shutil.which("node") is None, reason="node is missing: no JavaScript to run polkit's rule"
)
def test_polkit_lets_the_service_at_pcscd_and_nothing_else() -> None:
    program = _POLKIT % POLKIT.read_text()
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=RUN_S, check=True)
    assert json.loads(done.stdout) == ["yes", "yes", None, None]
