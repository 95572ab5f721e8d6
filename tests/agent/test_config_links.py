"""Links of the whole counter in a configuration: which access each may have, and what is one device."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import Device
from agent.config.file import load
from agent.config.tables import ConfigErrors
from agent.daemon import make_driver
from drivers.api import Deadline, SystemClock

TOP = 'config_version = 1\n[terminal]\nid = "T-1"\n[mqtt]\nurl = "mqtt://b"\n[agent]\nstate_dir = "/s"\n'


def device(id_: str, driver: str, link: str, access: str, *more: str) -> str:
    keys = (f'id = "{id_}"', f'driver = "{driver}"', f'link = "{link}"', f'access = "{access}"', *more)
    return "\n".join(("[[device]]", *keys, ""))


def loaded(folder: Path, *devices: str) -> list[str]:
    path = folder / "c.toml"
    path.write_text(TOP + "".join(devices))
    try:
        return [f"{one.link} {one.access}" for one in load(path, {}).devices]
    except ConfigErrors as wrong:
        return [str(error) for error in wrong.errors]


@pytest.mark.parametrize(
    ("driver", "link", "access", "more"),
    [
        ("escpos", "usb:04b8:0e15", "exclusive", ()),
        ("escpos", "usb:04b8:0e15:S1", "shared", ('till = "tty:/run/till"',)),
        ("escpos", "usb:04b8:0e15?port=1-1.4", "passive", ()),
        ("magtek", "hid:0801:0002", "exclusive", ()),
        ("magtek", "hid:0801:0002", "passive", ('look = ["sysfs"]',)),
        ("ccid", "pcsc:Gemalto PC Twin Reader 00 00", "exclusive", ()),
        ("ccid", "usb:08e6:3437?backend=unix:/x", "exclusive", ()),
    ],
)
def test_takes(tmp_path: Path, driver: str, link: str, access: str, more: tuple[str, ...]) -> None:
    assert loaded(tmp_path, device("d", driver, link, access, *more)) == [f"{link} {access}"]


def test_two_of_a_kind_in_two_sockets_are_two(tmp_path: Path) -> None:
    told = loaded(
        tmp_path,
        device("a", "escpos", "usb:1504:0006?port=1-1", "exclusive"),
        device("b", "escpos", "usb:1504:0006?port=1-2", "exclusive"),
        device("c", "escpos", "usb:1504:0006?backend=unix:/x", "exclusive"),
    )
    assert len(told) == 3


def test_one_written_in_two_ways_is_one(tmp_path: Path) -> None:
    (told,) = loaded(
        tmp_path,
        device("a", "escpos", "usb:04B8:0e15?port=1-1", "exclusive"),
        device("b", "escpos", "usb:04b8:0E15?port=1-1", "exclusive"),
    )
    assert "is opened by device[0] already" in told


def test_a_reader_that_is_looked_at_has_no_printers_conditions(tmp_path: Path) -> None:
    driver = make_driver(
        Device(id="d", driver="magtek", link="hid:0801:0002", access="passive"), SystemClock(), {}, tmp_path
    )
    seen = driver.poll(Deadline.after(SystemClock(), 1))
    assert set(seen.conditions) == {"unplugged", "identity_changed"}
    driver.close()
