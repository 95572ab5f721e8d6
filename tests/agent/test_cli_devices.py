"""`tillwatch devices`, on machines built in a folder."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli.devices import devices
from agent.cli.service import config
from drivers import registry
from drivers.errors import UnknownDriver
from drivers.link import address
from tests import terminals
from tests.sysfs import Machine, counter


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(devices, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_everything_attached_as_json(tmp_path: Path) -> None:
    counter(tmp_path)
    found = json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)
    assert [port["node"] for port in found["serial_ports"]] == [
        "/dev/ttyS0",
        "/dev/ttyUSB0",
        "/dev/ttyUSB1",
        "/dev/ttyUSB2",
    ]
    assert [port["stable"]["by"] for port in found["serial_ports"]] == ["node", "by-path", "by-path", "by-id"]
    (printer,) = found["usb_devices"]
    assert printer["recognised"] == {
        "what": "EPSON TM-T20II",
        "how": "IEEE-1284 id: ESC/POS",
        "driver": "escpos",
        "profile": "epson-tm",
    }
    assert printer["held_by"] == [{"pid": 412, "command": "till"}]
    assert found["all_processes_seen"] is True


def test_each_block_can_be_pasted(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    device = machine.usb("1-5", "04b8:0e28", serial="X4ZK", manufacturer="EPSON", product="TM-T20III")
    machine.acm_tty(device, "ttyACM0", "usb-EPSON_TM-T20III_X4ZK-if00")
    for port in json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)["serial_ports"]:
        (table,) = tomllib.loads(port["config"])["device"]
        parsed = address.parse(table["link"])
        assert isinstance(parsed, address.SerialAddress)
        assert parsed.path == port["stable"]["path"]
        assert table["access"] == "passive"
        assert table["driver"] == "escpos"
        assert table.get("profile", "plain") == ("epson-tm" if port["node"] == "/dev/ttyACM0" else "plain")


def test_for_a_technician(tmp_path: Path) -> None:
    machine = counter(tmp_path)
    machine.process(500, "ModemManager", "/dev/ttyUSB1")
    device = machine.usb("1-5", "04b8:0e28", manufacturer="EPSON", product="TM-T20III")
    machine.acm_tty(device, "ttyACM0", None)
    shown = run("--sysfs", str(tmp_path)).stdout
    assert "/dev/ttyUSB0  (ch341-uart)  USB Serial [1a86:7523]" in shown
    assert "a QinHeng (CH340) serial adapter; what is behind it does not show" in shown
    assert "open in ModemManager (pid 500)" in shown
    assert "/dev/usb/lp0: open in till (pid 412)" in shown
    assert 'link = "usb:04b8:0e15:TC3Y012345"' in shown
    assert 'link = "serial:/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0"' in shown
    assert "nobody has it open" in shown
    assert "Epson receipt printer, by its USB vendor 04b8" in shown


def test_what_nothing_here_speaks_to(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.interface(machine.usb("1-1", "0b00:0060"), 0, 0xFF, None)
    assert "no driver of this version speaks to it" in run("--sysfs", str(tmp_path)).stdout


PRINTER = {"what": "EPSON TM-T20", "how": "IEEE-1284 id: ESC/POS", "driver": "escpos", "profile": "epson-tm"}
BY_PATH = "/dev/serial/by-path/pci-0000:00:14.0-usb-0"

RECOGNISED: dict[str, list[tuple[str | None, str | None, str | None]]] = {
    # Terminal -> driver, link and by what it is stable, of each block to paste.
    "epson": [("escpos", "usb:04b8:0e15:TC3Y012345", "serial")],
    "epson_printing_by_cups": [("escpos", "usb:04b8:0e15:TC3Y012345", "serial")],
    "two_adapters_alike": [
        ("escpos", f"serial:{BY_PATH}:2:1.0-port0", "by-path"),
        ("escpos", f"serial:{BY_PATH}:3:1.0-port0", "by-path"),
    ],
    "reader_of_pcscd": [("ccid", "pcsc:Gemalto PC Twin Reader", "pcsc")],
    "reader_without_pcscd": [("ccid", "usb:08e6:3437?port=1-5", "port")],
    "taken_by_brltty": [(None, None, None)],
    "no_permission": [("escpos", "serial:/dev/serial/by-id/usb-FTDI_A10K5XYZ-if00-port0", "by-id")],
    "keyboard_wedge": [(None, None, None)],
    "id_tech": [("vivotech", "hid:0acd:4450:K1234567", "serial")],
    "two_readers_alike": [
        ("magtek", "hid:0801:0002?port=1-2", "port"),
        ("magtek", "hid:0801:0002?port=1-3", "port"),
    ],
}


@pytest.mark.parametrize("name", RECOGNISED)
def test_recorded_terminals(tmp_path: Path, name: str) -> None:
    getattr(terminals, name)(tmp_path)
    found = json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)
    blocks: list[tuple[str | None, str | None, str | None]] = []
    for thing in (*found["serial_ports"], *found["usb_devices"]):
        if thing["config"] is None:
            blocks.append((None, None, None))
            continue
        (table,) = tomllib.loads(thing["config"])["device"]
        blocks.append((table["driver"], table["link"], thing["stable"]["by"]))
        assert thing["stable"]["why"]
    assert blocks == RECOGNISED[name]


def test_a_printer_that_cups_prints_to(tmp_path: Path) -> None:
    terminals.epson_printing_by_cups(tmp_path)
    (printer,) = json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)["usb_devices"]
    assert printer["recognised"] == PRINTER
    assert printer["held_by"] == [{"pid": 310, "command": "usb"}]
    assert printer["udev"] == {"ID_PATH": "pci-0000:00:14.0-usb-0:1", "ID_USB_INTERFACES": ":070102:"}
    assert "/dev/usb/lp0: open in usb (pid 310)" in run("--sysfs", str(tmp_path)).stdout


def test_a_keyboard_wedge_is_named_and_said_to_be_never_opened(tmp_path: Path) -> None:
    terminals.keyboard_wedge(tmp_path)
    (reader,) = json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)["usb_devices"]
    assert reader["recognised"]["what"] == "MagTek card reader"
    assert reader["never_opened"]
    shown = run("--sysfs", str(tmp_path)).stdout
    assert "MagTek card reader, by its USB vendor 0801" in shown
    assert "never opened: it types what it reads, as a keyboard does" in shown
    assert "[[device]]" not in shown


def test_an_adapter_whose_port_is_gone_points_to_the_doctor(tmp_path: Path) -> None:
    terminals.taken_by_brltty(tmp_path)
    shown = run("--sysfs", str(tmp_path)).stdout
    assert "a QinHeng (CH340) serial adapter without a serial port of its own:" in shown
    assert "`tillwatch doctor` says why" in shown


def test_two_card_readers_of_one_name_at_pcscd(tmp_path: Path) -> None:
    machine = terminals.reader_of_pcscd(tmp_path)
    for port, serial in (("1-6", "A1"), ("1-7", "B2")):
        twin = machine.usb(port, "04e6:5116", serial=serial, manufacturer="SCM", product="SCR 3310")
        folder = machine.interface(twin, 0, 0x0B, "usbfs")
        (folder / "interface").write_text("CCID Interface\n")
    found = json.loads(run("--json", "--sysfs", str(tmp_path)).stdout)["usb_devices"]
    assert [reader["stable"]["link"] for reader in found] == [
        "pcsc:Gemalto PC Twin Reader",
        "pcsc:SCM SCR 3310 [CCID Interface] (A1)",
        "pcsc:SCM SCR 3310 [CCID Interface] (B2)",
    ]


def test_all_blocks_together_are_a_valid_file(tmp_path: Path) -> None:
    """What a device says of itself is in them, so one of them is hostile."""
    machine = terminals.everything(tmp_path / "machine")
    device = machine.usb(
        "1-9", "04b8:0e15", serial='X"\nid = "host', manufacturer="E\x1b[2J", product='T"]\n[agent]'
    )
    machine.printer(device, 'MFG:E"\nPSON;CMD:ESC/POS;MDL:T\\M;', lp=None)
    shown = run("--sysfs", str(machine.root)).stdout
    assert "\x1b" not in shown
    found = json.loads(run("--json", "--sysfs", str(machine.root)).stdout)
    blocks = [thing["config"] for thing in (*found["serial_ports"], *found["usb_devices"]) if thing["config"]]
    assert len(blocks) >= 8
    assert all(block in shown for block in blocks), "it can be copied as it is shown"
    file = tmp_path / "tillwatch.toml"
    file.write_text(
        'config_version = 1\n[terminal]\nid = "T-1"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n' + "\n".join(blocks)
    )
    checked = CliRunner().invoke(config, ["check", str(file)], catch_exceptions=False)
    assert checked.exit_code == 0, checked.stderr
    assert f"{len(blocks)} devices" in checked.stdout


def test_it_fits_a_terminal_of_80_columns(tmp_path: Path) -> None:
    shown = run("--sysfs", str(terminals.everything(tmp_path).root)).stdout
    wide = [line for line in shown.splitlines() if len(line) > 80 and not line.startswith(("#", "link = "))]
    assert wide == []


def test_nothing_attached_is_said(tmp_path: Path) -> None:
    assert run("--sysfs", str(tmp_path)).stdout.startswith("no serial port")


def test_the_drivers_there_are() -> None:
    found = {driver["name"]: driver for driver in json.loads(run("--drivers", "--json").stdout)}
    assert found["ccid"] == {
        "name": "ccid",
        "categories": ["SmartCardRW"],
        "links": ["usb", "pcsc"],
        "profiles": ["plain"],
        "keys": ["slots"],
    }
    assert set(found) == set(registry.names()) - {"host", "network"}  # no device can have these
    assert "keys slots" in run("--drivers").stdout


def test_a_driver_that_does_not_load_is_named_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise UnknownDriver(f"{name} is broken")

    monkeypatch.setattr(registry, "spec", broken)
    assert "ccid is broken" in run("--drivers").stdout
