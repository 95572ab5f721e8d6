"""The passive look, on machines built in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.link.passive import Holder, holders, serial_ports, stable_name, usb_devices
from tests.sysfs import Machine, counter


def test_a_bare_machine_has_nothing(tmp_path: Path) -> None:
    assert serial_ports(tmp_path) == []
    assert usb_devices(tmp_path) == []
    assert holders(["/dev/ttyS0"], tmp_path).by_node == {"/dev/ttyS0": ()}


def test_ports_are_those_with_hardware_behind_them(tmp_path: Path) -> None:
    counter(tmp_path)
    found = {port.node: port.kernel_driver for port in serial_ports(tmp_path)}
    assert found == {
        "/dev/ttyS0": "serial",
        "/dev/ttyUSB0": "ch341-uart",
        "/dev/ttyUSB1": "ch341-uart",
        "/dev/ttyUSB2": "ftdi_sio",
    }


def test_a_port_knows_the_usb_device_it_hangs_on(tmp_path: Path) -> None:
    counter(tmp_path)
    built_in, first, _second, ftdi = serial_ports(tmp_path)
    assert built_in.usb is None
    assert first.usb is not None
    assert (first.usb.port, first.usb.vid, first.usb.pid, first.usb.serial) == ("1-2", 0x1A86, 0x7523, None)
    assert ftdi.usb is not None
    assert (ftdi.usb.port, ftdi.usb.serial, ftdi.usb.product) == ("1-4.1", "A10K5XYZ", "FT232R USB UART")
    assert first.recognised is None, "an adapter is not the device behind it"


def test_the_stable_name_is_an_id_only_where_the_hardware_has_one(tmp_path: Path) -> None:
    counter(tmp_path)
    ports = serial_ports(tmp_path)
    named = [stable_name(port, ports) for port in ports]
    assert [(stable.by, stable.path) for stable in named] == [
        ("node", "/dev/ttyS0"),
        ("by-path", "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0"),
        ("by-path", "/dev/serial/by-path/pci-0000:00:14.0-usb-0:3:1.0-port0"),
        ("by-id", "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0"),
    ]
    assert "another one here has the same ids" in named[1].why
    assert "A10K5XYZ" in named[3].why


def test_one_adapter_alone_without_a_serial_is_named_by_its_socket(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.usb_tty(
        machine.usb("1-2", "1a86:7523"), "ttyUSB0", "ch341-uart", "usb-1a86_USB_Serial-if00-port0"
    )
    ports = serial_ports(tmp_path)
    stable = stable_name(ports[0], ports)
    assert stable.by == "by-path"
    assert "no serial number of its own" in stable.why


@pytest.mark.parametrize("serials", [("0001",), ("77A", "77A")])
def test_a_serial_number_that_others_have_too_names_nothing(tmp_path: Path, serials: tuple[str, ...]) -> None:
    machine = Machine(tmp_path)
    for number, serial in enumerate(serials):
        device = machine.usb(f"1-{number + 1}", "10c4:ea60", serial=serial)
        machine.usb_tty(device, f"ttyUSB{number}", "cp210x", f"usb-CP2102_{serial}-if00-port0")
    ports = serial_ports(tmp_path)
    assert {stable_name(port, ports).by for port in ports} == {"by-path"}


def test_two_ports_of_one_adapter_are_no_twins(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    device = machine.usb("1-1", "0403:6011", serial="FT4X")
    machine.usb_tty(device, "ttyUSB0", "ftdi_sio", "usb-FTDI_Quad_FT4X-if00-port0")
    ports = serial_ports(tmp_path)
    assert stable_name(ports[0], [*ports, *ports]).by == "by-id"


def test_without_udev_only_the_node_is_left(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    for link in (machine.root / "dev/serial").glob("*/*"):
        link.unlink()
    ports = serial_ports(tmp_path)
    stable = stable_name(ports[1], ports)
    assert (stable.path, stable.by) == ("/dev/ttyUSB0", "node")
    assert "may change" in stable.why


def test_a_built_in_port_that_udev_knows_by_its_path(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    link = machine.root / "dev/serial/by-path/platform-serial8250"
    link.symlink_to("../../ttyS0")
    ports = serial_ports(tmp_path)
    stable = stable_name(ports[0], ports)
    assert (stable.path, stable.by) == ("/dev/serial/by-path/platform-serial8250", "by-path")


def test_a_printer_with_a_virtual_port_is_recognised_on_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    device = machine.usb("1-1", "04b8:0e28", serial="X4ZK", manufacturer="EPSON", product="TM-T20III")
    machine.acm_tty(device, "ttyACM0", "usb-EPSON_TM-T20III_X4ZK-if00")
    (port,) = serial_ports(tmp_path)
    assert port.kernel_driver == "cdc_acm"
    assert port.recognised is not None
    assert (port.recognised.driver, port.recognised.profile) == ("escpos", "epson-tm")


def test_usb_devices_without_hubs(tmp_path: Path) -> None:
    counter(tmp_path)
    found = {device.port: device for device in usb_devices(tmp_path)}
    assert set(found) == {"1-1", "1-2", "1-3", "1-4.1"}
    epson = found["1-1"]
    assert epson.node == "/dev/usb/lp0"
    assert epson.kernel_drivers == ("usblp",)
    assert epson.interface_classes == {0x07}
    assert epson.ieee1284 == {"MFG": "EPSON", "CMD": "ESC/POS", "MDL": "TM-T20II", "CLS": "PRINTER"}
    assert epson.recognised is not None
    assert epson.recognised.what == "EPSON TM-T20II"


def test_who_has_a_node_open(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    machine.process(500, "modem-manager", "/dev/ttyUSB0")
    machine.process(600, "gone").joinpath("fd").rmdir()
    (machine.root / "proc/self").mkdir()
    held = holders(["/dev/usb/lp0", "/dev/ttyUSB0", "/dev/ttyUSB1"], tmp_path)
    assert held.by_node == {
        "/dev/usb/lp0": (Holder(412, "till"),),
        "/dev/ttyUSB0": (Holder(500, "modem-manager"),),
        "/dev/ttyUSB1": (),
    }
    assert held.complete


def test_a_file_closed_meanwhile_hides_no_other(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    for pid, closed in ((500, "!"), (501, "~")):  # listed before the other one, and after it
        (machine.process(pid, "till", "/dev/ttyUSB0") / "fd" / closed).mkdir()  # no link can be read there
    assert holders(["/dev/ttyUSB0"], tmp_path).by_node["/dev/ttyUSB0"] == (
        Holder(500, "till"),
        Holder(501, "till"),
    )


def test_processes_of_others_make_the_answer_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = counter(tmp_path)
    secret = machine.process(700, "root-owned", "/dev/ttyUSB0") / "fd"
    listed = Path.iterdir

    def refusing(path: Path) -> object:  # as the kernel refuses, also where the tests run as root
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    held = holders(["/dev/ttyUSB0"], tmp_path)
    assert not held.complete
    assert held.by_node["/dev/ttyUSB0"] == ()
