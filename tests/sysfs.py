"""Builds the parts of /sys, /dev and /proc that a passive look reads, as the kernel lays them out."""

from __future__ import annotations

import os
from pathlib import Path

PCI = "sys/devices/pci0000:00/0000:00:14.0/usb1"


class Machine:
    """A machine below `root`; what is plugged in appears as it does on Linux with udev."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._devices = 0
        for folder in (
            "sys/class/tty",
            "sys/bus/usb/devices",
            "dev/serial/by-id",
            "dev/serial/by-path",
            "proc",
            "etc",
            "run/udev/data",
        ):
            (root / folder).mkdir(parents=True)
        self._virtual("tty0")
        self.usb("usb1", "1d6b:0002", device_class=0x09, product="xHCI Host Controller", inside="")

    def _virtual(self, name: str) -> None:
        home = self.root / "sys/devices/virtual/tty" / name
        home.mkdir(parents=True)
        self._link(self.root / "sys/class/tty" / name, home)

    def usb(
        self,
        port: str,
        ids: str,
        *,
        serial: str | None = None,
        manufacturer: str | None = None,
        product: str | None = None,
        device_class: int = 0,
        inside: str | None = None,
    ) -> Path:
        """A USB device without interfaces."""
        home = self.root / PCI / (port if inside is None else inside)
        home.mkdir(parents=True, exist_ok=True)
        vid, pid = ids.split(":")
        self._devices += 1
        texts = {
            "busnum": "1",
            "devnum": f"{self._devices}",
            "dev": f"189:{self._devices - 1}",
            "idVendor": vid,
            "idProduct": pid,
            "bDeviceClass": f"{device_class:02x}",
            "serial": serial,
            "manufacturer": manufacturer,
            "product": product,
        }
        for name, text in texts.items():
            if text is not None:
                (home / name).write_text(f"{text}\n")
        self._link(self.root / "sys/bus/usb/devices" / port, home)
        return home

    def interface(
        self, device: Path, number: int, code: int, driver: str | None, *, protocol: int = 0
    ) -> Path:
        home = device / f"{device.name}:1.{number}"
        home.mkdir()
        (home / "bInterfaceClass").write_text(f"{code:02x}\n")
        (home / "bInterfaceNumber").write_text(f"{number:02x}\n")
        (home / "bInterfaceProtocol").write_text(f"{protocol:02x}\n")
        if driver:
            self._driver(home, "usb", driver)
        self._link(self.root / "sys/bus/usb/devices" / home.name, home)
        return home

    def printer(self, device: Path, id_1284: str | None, lp: str | None = "lp0") -> None:
        """Printer-class interface 0, held by usblp unless `lp` is None."""
        home = self.interface(device, 0, 0x07, "usblp" if lp else None)
        if id_1284 is not None:
            (home / "ieee1284_id").write_text(f"{id_1284}\n")
        if lp:
            (home / "usbmisc" / lp).mkdir(parents=True)

    def usb_tty(self, device: Path, name: str, driver: str, by_id: str | None) -> None:
        """A USB serial adapter's port `name`, on interface 0."""
        interface = self.interface(device, 0, 0xFF, driver.removesuffix("-uart"))
        port = interface / name
        tty = port / "tty" / name
        tty.mkdir(parents=True)
        self._driver(port, "usb-serial", driver)
        self._link(tty / "device", port)
        self._link(self.root / "sys/class/tty" / name, tty)
        self._udev(name, by_id, f"pci-0000:00:14.0-usb-0:{device.name.partition('-')[2]}:1.0-port0")

    def acm_tty(self, device: Path, name: str, by_id: str | None) -> None:
        """A communication-class port (cdc_acm), which has no usb-serial device between."""
        interface = self.interface(device, 0, 0x02, "cdc_acm")
        tty = interface / "tty" / name
        tty.mkdir(parents=True)
        self._link(tty / "device", interface)
        self._link(self.root / "sys/class/tty" / name, tty)
        self._udev(name, by_id, f"pci-0000:00:14.0-usb-0:{device.name.partition('-')[2]}:1.0")

    def built_in(self, name: str, *, uart: bool) -> None:
        """A ttyS below the kernel's serial core, with or without hardware."""
        parent = self.root / "sys/devices/pnp0/00:00"
        core = parent / f"00:00:0/00:00:0.{name[-1]}"
        tty = core / "tty" / name
        tty.mkdir(parents=True)
        (tty / "type").write_text("4\n" if uart else "0\n")
        if not (parent / "driver").is_symlink():
            self._driver(parent, "pnp", "serial")
        self._driver(core, "serial-base", "port")
        self._link(tty / "device", core)
        self._link(self.root / "sys/class/tty" / name, tty)

    def hid(self, device: Path, name: str, report: bytes, *, protocol: int = 0) -> None:
        """HID interface 0 with that report descriptor, and its node `name`, such as hidraw0."""
        interface = self.interface(device, 0, 0x03, "usbhid", protocol=protocol)
        vid, pid = ((device / key).read_text().strip() for key in ("idVendor", "idProduct"))
        home = interface / f"0003:{vid.upper()}:{pid.upper()}.0001"
        (home / "hidraw" / name).mkdir(parents=True)
        serial = (device / "serial").read_text() if (device / "serial").exists() else "\n"
        (home / "uevent").write_text(f"HID_ID=0003:0000{vid.upper()}:0000{pid.upper()}\nHID_UNIQ={serial}")
        (home / "report_descriptor").write_bytes(report)
        self._link(home / "hidraw" / name / "device", home)
        (self.root / "sys/class/hidraw").mkdir(exist_ok=True)
        self._link(self.root / "sys/class/hidraw" / name, home / "hidraw" / name)

    def node(self, path: str, mode: str = "0660", owner: str = "root", group: str = "root") -> None:
        """A device node, as a recorded machine has it: a line in the file `nodes`."""
        with (self.root / "nodes").open("a") as nodes:
            nodes.write(f"{path} {mode} {owner} {group}\n")

    def file(self, path: str, text: str) -> Path:
        """A file of the system."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def udev_data(self, number: str, **properties: str) -> None:
        """What udev keeps of the node of that number."""
        lines = "".join(f"E:{key}={value}\n" for key, value in properties.items())
        self.file(f"run/udev/data/c{number}", f"I:1\n{lines}")

    def service(self, *groups: str) -> None:
        """Tillwatch installed as a service, its user in `groups` by the unit."""
        self.file(
            "etc/passwd", "root:x:0:0::/root:/bin/sh\ntillwatch:x:990:990::/var/lib/tillwatch:/bin/false\n"
        )
        self.file("etc/group", "root:x:0:\nlp:x:7:\ndialout:x:20:\npcscd:x:110:\ntillwatch:x:990:\n")
        supplementary = f"SupplementaryGroups={' '.join(groups)}\n" if groups else ""
        self.file("etc/systemd/system/tillwatch.service", f"[Service]\nUser=tillwatch\n{supplementary}")

    def process(
        self, pid: int, command: str, *opened: str, arguments: tuple[str, ...] = (), uid: int = 0
    ) -> Path:
        """A process with `opened` open."""
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{command}\n")
        (folder / "cmdline").write_text("\0".join(arguments) + "\0")
        four = "\t".join([str(uid)] * 4)
        (folder / "status").write_text(f"Name:\t{command}\nUid:\t{four}\nGid:\t{four}\nGroups:\t \n")
        for number, node in enumerate(opened):
            (folder / "fd" / str(number)).symlink_to(node)
        return folder

    def _udev(self, node: str, by_id: str | None, by_path: str) -> None:
        links = {"by-id": by_id, "by-path": by_path}
        for folder, name in links.items():
            if name:
                link = self.root / "dev/serial" / folder / name
                link.unlink(missing_ok=True)  # a later one of the same name wins
                link.symlink_to(f"../../{node}")

    def _driver(self, home: Path, bus: str, name: str) -> None:
        driver = self.root / "sys/bus" / bus / "drivers" / name
        driver.mkdir(parents=True, exist_ok=True)
        self._link(home / "driver", driver)

    @staticmethod
    def _link(link: Path, target: Path) -> None:
        link.symlink_to(os.path.relpath(target, link.parent))


def counter(root: Path) -> Machine:
    """An Epson printer on USB, two CH340 adapters without a serial number, one FTDI with."""
    machine = Machine(root)
    epson = machine.usb("1-1", "04b8:0e15", serial="TC3Y012345", manufacturer="EPSON", product="TM-T20II")
    machine.printer(epson, "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20II;CLS:PRINTER;")
    for port, name in (("1-2", "ttyUSB0"), ("1-3", "ttyUSB1")):
        ch340 = machine.usb(port, "1a86:7523", product="USB Serial")
        machine.usb_tty(ch340, name, "ch341-uart", "usb-1a86_USB_Serial-if00-port0")
    ftdi = machine.usb(
        "1-4.1", "0403:6001", serial="A10K5XYZ", manufacturer="FTDI", product="FT232R USB UART"
    )
    machine.usb_tty(ftdi, "ttyUSB2", "ftdi_sio", "usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0")
    machine.built_in("ttyS0", uart=True)
    machine.built_in("ttyS1", uart=False)
    machine.process(412, "till", "/dev/usb/lp0", "/dev/null")
    return machine
