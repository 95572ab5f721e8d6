"""A client that nobody here wrote: python-escpos prints a receipt and asks for status."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from escpos.printer import Network, Serial
from PIL import Image

from tests.simulator.serving import ServedDevice, port_of, served

pytestmark = pytest.mark.system

PAPER = {"paper=ok": 2, "paper=near_end": 1, "paper=end": 0}
PROFILE = "TM-T88III"


@contextmanager
def client(kind: str, folder: Path) -> Iterator[tuple[ServedDevice, Any]]:
    door = "tcp:127.0.0.1:0" if kind == "tcp" else f"tty:{folder}/tty"
    with served(folder, door) as device:
        printer: Any = (
            Network("127.0.0.1", port_of(device), timeout=5, profile=PROFILE)
            if kind == "tcp"
            else Serial(str(folder / "tty"), 115200, timeout=0.2, profile=PROFILE)
        )
        printer.open()
        try:
            yield device, printer
        finally:
            printer.close()


def picture() -> Image.Image:
    image = Image.new("1", (64, 24), 1)
    image.paste(0, (8, 4, 40, 20))
    return image


def until_printed(device: ServedDevice, words: str) -> str:
    deadline_s = time.monotonic() + 5
    while words not in (text := device.text()) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return text


@pytest.mark.parametrize("kind", ["tcp", "serial"])
def test_a_receipt_is_printed_as_it_was_meant(kind: str, tmp_path: Path) -> None:
    with client(kind, tmp_path) as (device, printer):
        printer.set(align="center", bold=True, double_height=True)
        printer.textln("Corner Shop")
        printer.set_with_default()
        printer.textln("Café au lait      2.40")
        printer.image(picture())
        printer.image(picture(), impl="graphics")
        printer.image(picture(), impl="bitImageColumn")
        printer.barcode("4006381333931", "EAN13")
        printer.qr("https://shop.example/42", native=True)
        printer.cashdraw(2)
        printer.cut()
        text = until_printed(device, "cut --")
        state = device.tell()
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[:3] == ["Corner Shop", "Café au lait      2.40", "[image 64x24]"]
    assert "[image]" in lines
    assert "[image 64x24]" in lines[4]
    assert "[barcode 4006381333931]" in lines
    assert lines[-2:] == ["[QR https://shop.example/42]", "-------- cut --------"]
    assert (state["drawer_pulses"], state["waiting_bytes"]) == (1, 0)


@pytest.mark.parametrize("kind", ["tcp", "serial"])
def test_its_status_calls_tell_the_truth(kind: str, tmp_path: Path) -> None:
    with client(kind, tmp_path) as (device, printer):
        for knob, paper in PAPER.items():
            device.tell(knob)
            assert printer.paper_status() == paper, knob
            assert printer.is_online() is (paper > 0), knob
        device.tell("paper=ok", "cover=open")
        assert printer.is_online() is False
        device.tell("cover=closed")
        assert printer.is_online() is True


@pytest.mark.parametrize("kind", ["tcp", "serial"])
def test_status_between_the_lines_of_a_receipt(kind: str, tmp_path: Path) -> None:
    with client(kind, tmp_path) as (device, printer):
        for number in range(5):
            printer.textln(f"line {number}")
            assert printer.is_online() is True
            assert printer.paper_status() == 2
        assert until_printed(device, "line 4").split("\n")[:5] == [f"line {number}" for number in range(5)]
