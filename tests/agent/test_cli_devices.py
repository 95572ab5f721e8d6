"""`tillwatch devices`, on machines built in a folder."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli.devices import devices
from drivers import registry
from drivers.errors import UnknownDriver
from drivers.link import address
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
    assert 'looked at by link = "usb:04b8:0e15:TC3Y012345"' in shown
    assert 'link = "serial:/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10K5XYZ-if00-port0"' in shown
    assert "nobody has it open" in shown
    assert "Epson receipt printer, by its USB vendor 04b8" in shown


def test_a_printer_that_nothing_here_speaks_to(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.printer(machine.usb("1-1", "03f0:0517"), "MFG:HP;CMD:PCL;MDL:LaserJet;", lp=None)
    assert "no driver of this version speaks to it" in run("--sysfs", str(tmp_path)).stdout


def test_nothing_attached_is_said(tmp_path: Path) -> None:
    assert run("--sysfs", str(tmp_path)).stdout.startswith("no serial port")


def test_the_drivers_there_are() -> None:
    found = {driver["name"]: driver for driver in json.loads(run("--drivers", "--json").stdout)}
    assert found["host"]["categories"] == ["DeviceMonitor"]
    assert set(found) == set(registry.names())
    assert "host" in run("--drivers").stdout


def test_a_driver_that_does_not_load_is_named_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise UnknownDriver(f"{name} is broken")

    monkeypatch.setattr(registry, "spec", broken)
    assert "host is broken" in run("--drivers").stdout
