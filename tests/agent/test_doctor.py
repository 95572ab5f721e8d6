"""What the doctor finds on recorded terminals: each check, and that it is silent where all is well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.config import Access, Agent, Config, Device, Mqtt, Terminal
from agent.discovery.doctor import CHECKS, examine, report, verdict
from agent.discovery.finding import Finding, Given
from agent.discovery.machine import Machine as Looked
from tests import terminals
from tests.sysfs import Machine

FTDI = "/dev/serial/by-id/usb-FTDI_A10K5XYZ-if00-port0"
SECOND = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:3:1.0-port0"
EPSON = "usb:04b8:0e15:TC3Y012345"
ID_TECH = "hid:0acd:4450:K1234567"
PCSC = "pcsc:Gemalto PC Twin"
DAEMON = ("python3", "-P", "-m", "agent.cli.daemon", "/etc/tillwatch/tillwatch.toml", "info")
VIEW: dict[str, Any] = {"devices": {}}


def configured(
    link: str,
    access: Access = "exclusive",
    driver: str = "escpos",
    till_dir: Path = Path("/run/tillwatch-till"),
) -> Config:
    folder = Path("/var/lib/tillwatch")
    return Config(
        source=Path("/etc/tillwatch/tillwatch.toml"),
        terminal=Terminal(id="T-1"),
        mqtt=Mqtt(host="127.0.0.1", port=1883, tls=False),
        agent=Agent(state_dir=folder, runtime_dir=folder, till_dir=till_dir),
        devices=(Device(id="dev", driver=driver, link=link, access=access),),
    )


def given(machine: Machine, config: Config | None, **more: Any) -> Given:
    """The daemon runs and has met nothing, unless said otherwise."""
    settings: dict[str, Any] = {"has_module": lambda name: True, "view": VIEW if config else None}
    return Given(machine=Looked(machine.root), config=config, **(settings | more))


def found(machine: Machine, config: Config | None, **more: Any) -> list[Finding]:
    return examine(given(machine, config, **more))


def met(**conditions: bool) -> dict[str, Any]:
    """A daemon's view of the device."""
    return {
        "devices": {"dev": {"conditions": {kind: {"value": value} for kind, value in conditions.items()}}}
    }


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.kind, one.severity.value) for one in findings]


FINE: list[tuple[Callable[[Path], Machine], str, Access]] = [
    (terminals.epson, EPSON, "exclusive"),
    (terminals.epson, EPSON, "shared"),
    (terminals.epson_printing_by_cups, EPSON, "passive"),
    (
        terminals.two_adapters_alike,
        "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0",
        "passive",
    ),
    (terminals.reader_without_pcscd, "usb:08e6:3437", "exclusive"),
    (lambda root: terminals.reader_of_pcscd(root, polkit_rule=True), PCSC, "exclusive"),
    (terminals.id_tech, ID_TECH, "exclusive"),
    (terminals.keyboard_wedge, "hid:0801:0001", "passive"),
    (terminals.no_permission, f"serial:{FTDI}?baud=9600", "passive"),
    (terminals.epson, "tcp:192.0.2.7:9100", "exclusive"),
    (terminals.epson, "usb:1234:5678?backend=unix:/run/usb.sock", "exclusive"),
]


@pytest.mark.parametrize(
    ("build", "link", "access"), FINE, ids=lambda one: str(getattr(one, "__name__", one))
)
def test_nothing_is_found_where_all_is_well(
    tmp_path: Path, build: Callable[[Path], Machine], link: str, access: Access
) -> None:
    findings = [
        one for one in found(build(tmp_path), configured(link, access)) if one.kind != "modem_manager"
    ]
    assert findings == []


# Terminal, link, access -> the findings, each with a word of its text and of its mend.
STOPPED: list[tuple[Callable[[Path], Machine], str, Access, str, str, str]] = [
    (
        terminals.no_permission,
        f"serial:{FTDI}",
        "exclusive",
        "no_permission",
        "dev: the user tillwatch may not open /dev/ttyUSB0",
        "`sudo usermod -aG dialout tillwatch`",
    ),
    (
        lambda root: terminals.id_tech(root, rule=False),
        ID_TECH,
        "exclusive",
        "no_permission",
        "may not open /dev/hidraw0",
        "`sudo cp systemd/udev/60-tillwatch.rules /etc/udev/rules.d/`",
    ),
    (
        terminals.epson_printing_by_cups,
        EPSON,
        "exclusive",
        "held_by_other",
        "/dev/usb/lp0 is open in usb (pid 310)",
        "CUPS prints to it: stop its queue with `cupsdisable QUEUE`, or share it",
    ),
    (
        terminals.two_adapters_alike,
        f"serial:{SECOND}",
        "exclusive",
        "held_by_other",
        "/dev/ttyUSB1 is open in ModemManager (pid 500)",
        "`sudo systemctl disable --now ModemManager`",
    ),
    (
        terminals.reader_of_pcscd,
        "usb:08e6:3437",
        "exclusive",
        "held_by_pcscd",
        "the smart-card service pcscd has the reader",
        'write link = "pcsc:Gemalto PC Twin Reader"',
    ),
    (
        terminals.reader_of_pcscd,
        PCSC,
        "exclusive",
        "polkit_rule_missing",
        "polkit does not let tillwatch use pcscd",
        "`sudo cp systemd/polkit/60-tillwatch-pcscd.rules /etc/polkit-1/rules.d/`",
    ),
    (
        terminals.reader_without_pcscd,
        PCSC,
        "exclusive",
        "card_service_down",
        "the smart-card service (pcscd) does not run",
        "`sudo systemctl enable --now pcscd.socket`",
    ),
    (
        terminals.taken_by_brltty,
        "serial:/dev/ttyUSB0",
        "passive",
        "taken_by_brltty",
        "brltty has taken the QinHeng (CH340) serial adapter at USB 1-2",
        "`sudo apt-get remove brltty`",
    ),
    (
        terminals.keyboard_wedge,
        "hid:0801:0001",
        "exclusive",
        "keyboard_wedge",
        "it types what it reads",
        "set the reader to its HID mode with its maker's tool",
    ),
    (
        terminals.epson,
        "serial:/dev/ttyUSB7",
        "passive",
        "absent",
        "serial:/dev/ttyUSB7 is not there",
        "`tillwatch devices` lists what is there",
    ),
    (
        terminals.epson,
        "usb:04b8:0e15:OTHER",
        "passive",
        "absent",
        "usb:04b8:0e15:OTHER is not there",
        "check the cable and that the device is switched on",
    ),
]


@pytest.mark.parametrize(("build", "link", "access", "kind", "what", "mend"), STOPPED)
def test_what_stops_a_device(
    tmp_path: Path,
    build: Callable[[Path], Machine],
    link: str,
    access: Access,
    kind: str,
    what: str,
    mend: str,
) -> None:
    findings = found(build(tmp_path), configured(link, access))
    (one,) = [finding for finding in findings if finding.kind == kind]
    assert one.severity == "stops"
    assert what in one.what
    assert mend in one.mend
    assert verdict(findings) == "stopped"
    others = {finding.kind for finding in findings} - {kind, "modem_manager", "cups_queue", "unstable_name"}
    assert others <= ({"absent"} if kind in ("taken_by_brltty", "card_service_down") else set())


def test_brltty_is_known_by_each_of_its_traces(tmp_path: Path) -> None:
    machine = terminals.taken_by_brltty(tmp_path)
    config = configured("serial:/dev/ttyUSB0")
    (held,) = [one.why for one in found(machine, config) if one.kind == "taken_by_brltty"]
    assert held == "/dev/bus/usb/001/002 is open in brltty (pid 810)"
    for fd in (tmp_path / "proc/810/fd").iterdir():
        fd.unlink()
    (logged,) = [
        one.why
        for one in found(machine, config, kernel_log=terminals.BRLTTY_LINE)
        if one.kind == "taken_by_brltty"
    ]
    assert "the kernel's log says" in logged
    (tmp_path / "proc/810/comm").write_text("bash\n")
    (ruled,) = [one.why for one in found(machine, config) if one.kind == "taken_by_brltty"]
    assert "85-brltty.rules is installed" in ruled
    (tmp_path / "etc/udev/rules.d").mkdir(parents=True)
    (tmp_path / "etc/udev/rules.d/85-brltty.rules").symlink_to("/dev/null")
    assert "taken_by_brltty" not in [one.kind for one in found(machine, config)], "masked"


def test_brltty_stops_nothing_where_no_serial_device_is_missing(tmp_path: Path) -> None:
    machine = terminals.taken_by_brltty(tmp_path)
    terminals.add_epson(machine)
    assert kinds(found(machine, configured(EPSON))) == [("taken_by_brltty", "warns")]
    assert kinds(found(machine, None)) == [("taken_by_brltty", "stops")], "nothing says that it is not wanted"


def test_modem_manager_is_silent_once_udev_says_so(tmp_path: Path) -> None:
    machine = terminals.two_adapters_alike(tmp_path)
    config = configured("serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0")
    assert kinds(found(machine, config)) == [("modem_manager", "warns")]
    machine.udev_data((tmp_path / "sys/bus/usb/devices/1-2/dev").read_text().strip(), ID_MM_DEVICE_IGNORE="1")
    assert found(machine, config) == []


@pytest.mark.parametrize(
    ("ids", "code", "module"),
    [("1a86:7523", 0xFF, "ch341"), ("0403:6001", 0xFF, "ftdi_sio"), ("067b:2303", 0xFF, "pl2303")],
)
def test_a_missing_kernel_module(tmp_path: Path, ids: str, code: int, module: str) -> None:
    machine = terminals.epson(tmp_path)
    machine.interface(machine.usb("1-2", ids), 0, code, None)
    (one,) = found(machine, configured("serial:/dev/ttyUSB0", "passive"))[:1]
    findings = {one.kind: one for one in found(machine, configured("serial:/dev/ttyUSB0", "passive"))}
    assert one.kind == "absent"
    assert findings["no_kernel_module"].severity == "stops"
    assert f"`sudo modprobe {module}`" in findings["no_kernel_module"].mend
    assert kinds(found(machine, configured(EPSON))) == [("no_kernel_module", "warns")]


def test_hid_and_sharing_need_their_modules(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    machine.interface(machine.usb("1-2", "0acd:4450", serial="K1"), 0, 0x03, None)
    machine.interface(machine.usb("1-3", "046d:c31c"), 0, 0x03, None, protocol=1)  # an office keyboard
    (reader,) = found(machine, configured("hid:0acd:4450:K1"))
    assert (reader.kind, reader.mend[0]) == ("no_kernel_module", "`sudo modprobe usbhid`")
    free = machine.usb("1-4", "0519:0003", serial="S9")
    machine.printer(free, None, lp=None)
    (printer,) = found(machine, configured("usb:0519:0003:S9", "shared", "star"))
    assert (printer.kind, printer.mend[0]) == ("no_kernel_module", "`sudo modprobe usblp`")


def test_a_library_that_is_not_installed(tmp_path: Path) -> None:
    machine = terminals.reader_of_pcscd(tmp_path, polkit_rule=True)
    (one,) = found(machine, configured(PCSC), has_module=lambda name: name != "smartcard")
    assert (one.kind, one.severity) == ("library_missing", "stops")
    assert "pyscard" in one.what
    (usb,) = found(
        terminals.epson(tmp_path / "other"),
        configured(EPSON),
        has_module=lambda name: name != "libusb_package",
    )
    assert "libusb-package" in usb.what


def test_a_wrong_speed_is_what_the_daemon_has_read(tmp_path: Path) -> None:
    machine = terminals.no_permission(tmp_path)
    machine.service("dialout")
    (one,) = found(machine, configured(f"serial:{FTDI}?baud=9600"), view=met(garbled=True))
    assert (one.kind, one.layer) == ("garbled", "link")
    assert "9600 baud, 8N" in one.why
    assert any("?baud=" in step for step in one.mend)
    assert found(machine, configured(f"serial:{FTDI}"), view=met(garbled=False)) == []


def test_what_the_daemon_met_is_said_once(tmp_path: Path) -> None:
    machine = terminals.no_permission(tmp_path)
    config = configured(f"serial:{FTDI}")
    assert kinds(found(machine, config, view=met(no_permission=True))) == [("no_permission", "stops")]
    machine.service("dialout")
    (one,) = found(machine, config, view=met(no_permission=True))
    assert one.why == "the running daemon says so"


def test_the_running_daemon_s_groups_count_more_than_the_unit_s(tmp_path: Path) -> None:
    machine = terminals.no_permission(tmp_path)
    machine.service("dialout")
    machine.process(90, "python3", arguments=DAEMON, uid=990)
    (one,) = found(machine, configured(f"serial:{FTDI}"))
    assert "the running daemon's, pid 90" in one.why, "it was started before the unit was changed"


def test_the_daemon_itself_is_no_other(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    bus = terminals.bus_node(tmp_path / "sys/bus/usb/devices/1-1")
    folder = machine.process(91, "python3", bus, arguments=DAEMON, uid=990)
    (folder / "status").write_text("Uid:\t990\t990\t990\t990\nGid:\t990\t990\t990\t990\nGroups:\t7 20 \n")
    assert found(machine, configured(EPSON)) == []


def test_the_daemon_of_another_configuration_is_another_program(tmp_path: Path) -> None:
    machine = terminals.no_permission(tmp_path)
    machine.service("dialout")
    machine.process(92, "python3", "/dev/ttyUSB0", arguments=(*DAEMON[:4], "/srv/other.toml"), uid=1000)
    (one,) = found(machine, configured(f"serial:{FTDI}"))
    assert (one.kind, "python3 (pid 92)" in one.what) == ("held_by_other", True)


def test_the_pass_through_holds_what_is_shared(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    arguments = ("python3", "-P", "-m", "agent.pass_through", "info", "/run/tillwatch-till", "{}")
    machine.process(94, "python3", "/dev/usb/lp0", arguments=arguments, uid=990)
    assert found(machine, configured(EPSON, "shared", till_dir=Path("/run/tillwatch-till"))) == []
    other = found(machine, configured(EPSON, "shared", till_dir=Path("/run/another")))
    assert kinds(other) == [("held_by_other", "stops")]


def test_a_daemon_that_runs_and_does_not_answer(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    folder = machine.process(93, "python3", arguments=DAEMON, uid=990)
    (folder / "status").write_text("Uid:\t990\t990\t990\t990\nGid:\t990\t990\t990\t990\nGroups:\t7 20 \n")
    (one,) = found(machine, configured(EPSON), view=None)
    assert one.what == "the daemon runs (pid 93) and does not answer"


def test_a_daemon_that_does_not_run_and_one_that_may_not_be_asked(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    (absent,) = found(machine, configured(EPSON), view=None)
    assert (absent.kind, absent.severity) == ("daemon_not_running", "stops")
    assert "`sudo systemctl enable --now tillwatch`" in absent.mend
    closed = found(machine, configured(EPSON), view=None, refused="control.sock: permission denied")
    assert kinds(closed) == [("daemon_unseen", "unknown")]
    assert verdict(closed) == "unseen"


def test_processes_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = terminals.epson(tmp_path)
    secret = machine.process(77, "root-owned", "/dev/usb/lp0") / "fd"
    listed = Path.iterdir

    def refusing(path: Path) -> object:  # as the kernel refuses, also where the tests run as root
        if path == secret:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refusing)
    (one,) = found(machine, configured(EPSON))
    assert (one.kind, one.severity, one.mend) == ("holders_unseen", "unknown", ("`sudo tillwatch doctor`",))
    assert "run with sudo to see" in one.what
    assert found(machine, configured(EPSON), view=met(held_by_other=False)) == [], "the daemon has it"


def test_a_folder_that_may_not_be_read_leaves_its_check_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = terminals.reader_of_pcscd(tmp_path, polkit_rule=True)

    def closed(_self: Looked, *patterns: str) -> object:
        if any("polkit" in pattern for pattern in patterns):
            raise PermissionError(13, "Permission denied", "/etc/polkit-1/rules.d")
        return iter(())

    monkeypatch.setattr(Looked, "texts", closed)
    (one,) = found(machine, configured(PCSC))
    assert (one.kind, one.severity) == ("polkit_unseen", "unknown")
    assert found(machine, configured(PCSC), view=met(no_permission=False)) == []


def test_a_unit_from_before_usb(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    unit = tmp_path / "etc/systemd/system/tillwatch.service"
    unit.write_text(
        unit.read_text() + "DevicePolicy=closed\nDeviceAllow=char-188 rw\nDeviceAllow=char-180 rw\n"
    )
    (one,) = found(machine, configured(EPSON))
    assert (one.kind, "/dev/bus/usb/001/002" in one.what) == ("unit_denies", True)
    shipped = Path(__file__).parents[2] / "systemd/tillwatch.service"
    unit.write_text(shipped.read_text())
    assert found(machine, configured(EPSON)) == []


def test_a_unit_is_put_together_as_systemd_does(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    usual = "lib/systemd/system/till.service"
    machine.file(f"usr/{usual}", "[Service]\nUser=shipped\nDeviceAllow=char-188 rw\nExecStart=a \\\n b\n")
    machine.file(f"usr/{usual}.d/10-maker.conf", "[Service]\nUser=maker\nGroup=maker\n")
    machine.file(f"usr/{usual}.d/20-shop.conf", "[Service]\nGroup=hidden\n")
    machine.file("etc/systemd/system/till.service.d/05-first.conf", "[Service]\nUser=first\nDeviceAllow=\n")
    machine.file("etc/systemd/system/till.service.d/20-shop.conf", "[Service]\nDeviceAllow=char-189 rw\n")
    assert Looked(tmp_path).unit("till.service") == {
        "User": ["shipped", "first", "maker"],  # by name of the file: the last one counts
        "Group": ["maker"],  # of two drop-ins of one name, that in /etc
        "DeviceAllow": ["char-189 rw"],  # an empty value ends what stood before
        "ExecStart": ["a   b"],
    }


def test_a_user_that_does_not_exist(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    machine.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nbroken\nodd:x:x:x:::\n")
    assert "user_missing" in [one.kind for one in found(machine, configured(EPSON))]


def test_what_a_program_is_called_moves_no_cursor(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    machine.process(78, "ev\x1b[2Jil", "/dev/usb/lp0")
    looked = given(machine, configured(EPSON))
    (one,) = report(looked, examine(looked))["findings"]
    assert "ev[2Jil (pid 78)" in one["what"]


def test_a_group_that_does_not_exist(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    machine.service("dialout", "lp", "braille")
    (one,) = found(machine, configured(EPSON))
    assert (one.kind, one.mend[0]) == ("group_missing", "`sudo groupadd --system braille`")


def test_a_state_folder_that_is_somebody_else_s(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    nodes = (tmp_path / "nodes").read_text()
    (tmp_path / "nodes").write_text(nodes.replace("0700 tillwatch tillwatch", "0755 root root"))
    (one,) = found(machine, configured(EPSON))
    assert (one.kind, one.severity) == ("state_dir", "stops")


def test_a_watchdog_that_nobody_pats(tmp_path: Path) -> None:
    machine = terminals.epson(tmp_path)
    machine.file("sys/class/watchdog/watchdog0/state", "inactive\n")
    (one,) = found(machine, configured(EPSON))
    assert (one.kind, one.severity, one.why) == ("watchdog_off", "warns", "watchdog0 is inactive")
    machine.file("etc/systemd/system.conf.d/watchdog.conf", "[Manager]\nRuntimeWatchdogSec=30\n")
    assert found(machine, configured(EPSON)) == []


@pytest.mark.parametrize(
    ("build", "link", "better"),
    [
        (terminals.no_permission, "serial:/dev/ttyUSB0?baud=9600", f"serial:{FTDI}?baud=9600"),
        (terminals.two_readers_alike, "hid:0801:0002", "hid:0801:0002?port=1-2"),
    ],
)
def test_a_name_that_may_mean_another_device_tomorrow(
    tmp_path: Path, build: Callable[[Path], Machine], link: str, better: str
) -> None:
    (one,) = found(build(tmp_path), configured(link, "passive"))
    assert (one.kind, one.severity, one.mend) == ("unstable_name", "warns", (f'write link = "{better}"',))


def test_without_a_configuration_everything_attached_is_looked_at(tmp_path: Path) -> None:
    looked = given(terminals.everything(tmp_path), None)
    findings = examine(looked)
    said = report(looked, findings)
    assert said["config"] is None
    assert len(said["looked_at"]) >= 8
    assert "polkit_rule_missing" in [one.kind for one in findings]
    assert kinds(found(terminals.keyboard_wedge(tmp_path / "wedge"), None)) == [("keyboard_wedge", "warns")]


def test_its_report_as_json(tmp_path: Path) -> None:
    looked = given(terminals.no_permission(tmp_path), configured(f"serial:{FTDI}"))
    said = report(looked, examine(looked))
    assert said["verdict"] == "stopped"
    assert said["daemon"] == "running"
    assert said["service_user"] == {
        "name": "tillwatch",
        "groups": ["tillwatch"],
        "how": "of tillwatch.service",
    }
    assert said["looked_at"] == [{"device": "dev", "link": f"serial:{FTDI}", "access": "exclusive"}]
    assert said["checks"] == list(CHECKS)
    assert [set(finding) for finding in said["findings"]] == [
        {"kind", "severity", "layer", "device", "what", "why", "mend"}
    ]
