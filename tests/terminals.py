"""Terminals as they are met, recorded: for `tillwatch devices` and `tillwatch doctor`.

Ids, drivers, groups and udev's properties as Debian 12 has them; log lines as the kernel writes them.
"""

from __future__ import annotations

import plistlib
from pathlib import Path

from tests.sysfs import Machine

KEYBOARD = bytes.fromhex("05 01 09 06 A1 01 05 07 19 E0 29 E7 75 01 95 08 81 02 75 08 95 18 09 20 B1 02 C0")
"""A keyboard that has a feature report beside its keys, as MagTek's in keyboard emulation."""
FEATURES = bytes.fromhex("06 00 FF 09 01 A1 01 15 00 26 FF 00 75 08 95 18 09 20 B1 02 C0")
WITH_ID = bytes.fromhex("06 00 FF 09 01 A1 01 85 01 15 00 26 FF 00 75 08 95 3F 09 20 B1 02 C0")
BRLTTY_LINE = (
    "Mar  3 09:12:44 till kernel: [   12.3] usb 1-2: usbfs: interface 0 claimed by ch341 while 'brltty' sets "
    "config #1\n"
)


def _machine(root: Path) -> Machine:
    root.mkdir(exist_ok=True)
    machine = Machine(root)
    machine.service("dialout", "lp")
    (root / "var/lib/tillwatch").mkdir(parents=True)
    machine.node("/var/lib/tillwatch", "0700", "tillwatch", "tillwatch")
    machine.file("sys/class/watchdog/watchdog0/identity", "iTCO_wdt\n")
    machine.file("sys/class/watchdog/watchdog0/state", "active\n")
    return machine


def add_epson(machine: Machine, port: str = "1-1", lp: str | None = "lp0") -> Path:
    device = machine.usb(port, "04b8:0e15", serial="TC3Y012345", manufacturer="EPSON", product="TM-T20")
    machine.printer(device, "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;CLS:PRINTER;", lp=lp)
    number = (device / "dev").read_text().strip()
    path = f"pci-0000:00:14.0-usb-0:{port.partition('-')[2]}"
    machine.udev_data(number, ID_PATH=path, ID_USB_INTERFACES=":070102:")
    machine.node(bus_node(device), "0664", "root", "lp")
    if lp:
        machine.node(f"/dev/usb/{lp}", "0660", "root", "lp")
    return device


def bus_node(device: Path) -> str:
    return f"/dev/bus/usb/001/{int((device / 'devnum').read_text()):03d}"


def epson(root: Path) -> Machine:
    """An Epson TM-T20 on USB, in the hands of usblp, open nowhere."""
    machine = _machine(root)
    add_epson(machine)
    return machine


def epson_printing_by_cups(root: Path) -> Machine:
    machine = epson(root)
    machine.file(
        "etc/cups/printers.conf", "<Printer receipt>\nDeviceURI usb://EPSON/TM-T20?serial=TC3Y012345\n"
    )
    machine.process(300, "cupsd")
    machine.process(310, "usb", "/dev/usb/lp0")
    return machine


def _adapter(machine: Machine, port: str, name: str) -> Path:
    device = machine.usb(port, "1a86:7523", product="USB Serial")
    machine.usb_tty(device, name, "ch341-uart", "usb-1a86_USB_Serial-if00-port0")
    machine.node(f"/dev/{name}", "0660", "root", "dialout")
    return device


def two_adapters_alike(root: Path) -> Machine:
    """CH340 twice, neither with a serial number; one is in the hands of ModemManager."""
    machine = _machine(root)
    _adapter(machine, "1-2", "ttyUSB0")
    _adapter(machine, "1-3", "ttyUSB1")
    machine.process(500, "ModemManager", "/dev/ttyUSB1")
    return machine


def _reader(machine: Machine, driver: str | None) -> Path:
    device = machine.usb("1-5", "08e6:3437", manufacturer="Gemplus", product="USB SmartCard Reader")
    machine.interface(device, 0, 0x0B, driver)
    return device


def reader_without_pcscd(root: Path) -> Machine:
    machine = _machine(root)
    machine.node(bus_node(_reader(machine, None)), "0660", "root", "tillwatch")
    return machine


def reader_of_pcscd(root: Path, *, polkit_rule: bool = False) -> Machine:
    """A CCID reader that pcscd holds; polkit lets nobody but the session's user in."""
    machine = _machine(root)
    node = bus_node(_reader(machine, "usbfs"))
    machine.node(node, "0660", "root", "pcscd")
    machine.process(700, "pcscd", node)
    machine.file("run/pcscd/pcscd.comm", "")
    machine.file("usr/share/polkit-1/actions/org.debian.pcsc-lite.policy", "<policyconfig/>")
    names = {
        "ifdVendorID": ["0x08E6"],
        "ifdProductID": ["0x3437"],
        "ifdFriendlyName": ["Gemalto PC Twin Reader"],
    }
    machine.file("etc/libccid_Info.plist", plistlib.dumps(names).decode())
    if polkit_rule:
        shipped = Path(__file__).parents[1] / "systemd/polkit/60-tillwatch-pcscd.rules"
        machine.file("etc/polkit-1/rules.d/60-tillwatch-pcscd.rules", shipped.read_text())
    return machine


def taken_by_brltty(root: Path) -> Machine:
    machine = _machine(root)
    device = machine.usb("1-2", "1a86:7523", product="USB Serial")
    machine.interface(device, 0, 0xFF, "usbfs")
    machine.process(810, "brltty", bus_node(device))
    machine.file("usr/lib/udev/rules.d/85-brltty.rules", 'ENV{PRODUCT}=="1a86/7523/*", RUN+="brltty"\n')
    machine.file("var/log/kern.log", BRLTTY_LINE)
    return machine


def no_permission(root: Path) -> Machine:
    """An FTDI adapter, and a service whose user is in no group."""
    machine = _machine(root)
    machine.service()
    device = machine.usb(
        "1-4", "0403:6001", serial="A10K5XYZ", manufacturer="FTDI", product="FT232R USB UART"
    )
    machine.usb_tty(device, "ttyUSB0", "ftdi_sio", "usb-FTDI_A10K5XYZ-if00-port0")
    machine.node("/dev/ttyUSB0", "0660", "root", "dialout")
    return machine


def keyboard_wedge(root: Path) -> Machine:
    machine = _machine(root)
    device = machine.usb(
        "1-2", "0801:0001", manufacturer="MagTek", product="USB Keyboard Emulation Swipe Reader"
    )
    machine.hid(device, "hidraw0", KEYBOARD, protocol=1)
    machine.node("/dev/hidraw0", "0600", "root", "root")
    return machine


def id_tech(root: Path, *, rule: bool = True) -> Machine:
    """An ID TECH reader in its HID mode; `rule`: Tillwatch's udev rule is installed."""
    machine = _machine(root)
    device = machine.usb("1-2", "0acd:4450", serial="K1234567", manufacturer="ID TECH", product="VP5300")
    machine.hid(device, "hidraw0", WITH_ID)
    machine.node("/dev/hidraw0", "0660" if rule else "0600", "root", "tillwatch" if rule else "root")
    return machine


def two_readers_alike(root: Path) -> Machine:
    machine = _machine(root)
    for number, port in enumerate(("1-2", "1-3")):
        device = machine.usb(port, "0801:0002", manufacturer="MagTek", product="USB Swipe Reader")
        machine.hid(device, f"hidraw{number}", FEATURES)
        machine.node(f"/dev/hidraw{number}", "0660", "root", "tillwatch")
    return machine


def everything(root: Path) -> Machine:
    """One of each kind, on one machine."""
    machine = reader_of_pcscd(root)
    add_epson(machine)
    for port, name in (("1-2", "ttyUSB0"), ("1-3", "ttyUSB1")):
        _adapter(machine, port, name)
    machine.built_in("ttyS0", uart=True)
    star = machine.usb("1-6", "0519:0003", serial="1", manufacturer="Star", product="TSP143")
    machine.printer(star, "MFG:Star;CMD:STAR;MDL:TSP700II;", lp=None)
    machine.printer(machine.usb("1-7", "03f0:0517"), "MFG:HP;CMD:PCL;MDL:LaserJet;", lp=None)
    machine.interface(machine.usb("1-8", "04b8:0e70", manufacturer="EPSON", product="DM-D70"), 0, 0xFF, None)
    for number, port in enumerate(("1-10", "1-11")):
        device = machine.usb(port, "0801:0002", manufacturer="MagTek", product="USB Swipe Reader")
        machine.hid(device, f"hidraw{number}", FEATURES)
    return machine
