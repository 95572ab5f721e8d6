"""What ids give away."""

from __future__ import annotations

import pytest

from drivers.identity import ieee1284, is_own_serial, recognise

NONE: frozenset[int] = frozenset()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;", {"MFG": "EPSON", "CMD": "ESC/POS", "MDL": "TM-T20"}),
        (
            "MANUFACTURER: Star ;COMMAND SET:STAR;MODEL:TSP143;rubbish",
            {"MFG": "Star", "CMD": "STAR", "MDL": "TSP143"},
        ),
    ],
)
def test_an_ieee_1284_id_is_read(text: str, fields: dict[str, str]) -> None:
    assert ieee1284(text) == fields


@pytest.mark.parametrize(
    ("vid", "classes", "id_1284", "expected"),
    [
        (0x04B8, NONE, {}, ("Epson receipt printer", "escpos", "epson-tm")),
        (
            0x04B8,
            {7},
            {"MFG": "EPSON", "MDL": "TM-T20", "CMD": "ESC/POS"},
            ("EPSON TM-T20", "escpos", "epson-tm"),
        ),
        (0x0416, {7}, {"MFG": "POS", "MDL": "80", "CMD": "ESC/POS"}, ("POS 80", "escpos", "plain")),
        (0x0519, {7}, {"MFG": "Star", "MDL": "TSP143", "CMD": "STAR"}, ("Star TSP143", "star", "plain")),
        (0x03F0, {7}, {"MFG": "HP", "MDL": "LaserJet", "CMD": "PCL"}, ("HP LaserJet", "generic", "plain")),
        (0x03F0, {7}, {}, ("printer", "generic", "plain")),
        (
            0x04B8,
            {7},
            {"MFG": "EPSON", "MDL": "XP-30", "CMD": "ESCPL2,BDC"},
            ("EPSON XP-30", "generic", "plain"),
        ),
        (0x08E6, {0x0B}, {}, ("smart-card reader", "ccid", "plain")),
        (0x0801, {3}, {}, ("MagTek card reader", "magtek", "plain")),
        (0x0ACD, {3}, {}, ("ID TECH card reader", "vivotech", "plain")),
    ],
)
def test_what_is_recognised(
    vid: int, classes: set[int], id_1284: dict[str, str], expected: tuple[str, str | None, str]
) -> None:
    found = recognise(vid, frozenset(classes), id_1284)
    assert found is not None
    assert (found.what, found.driver, found.profile) == expected


def test_a_product_is_known_by_its_name_on_the_bus_where_its_vendor_makes_other_things_too() -> None:
    display = recognise(0x04B8, frozenset({0xFF}), {}, "DM-D70")
    assert display is not None
    assert (display.what, display.driver) == ("Epson customer display", "dmd")


def test_a_vendor_s_printer_without_a_driver_of_its_own_is_a_printer_still() -> None:
    star = recognise(0x0519, frozenset({7}), {})
    assert star is not None
    assert (star.what, star.driver) == ("Star Micronics receipt printer", "generic")
    other = recognise(0x0519, frozenset({0xFF}), {})
    assert other is not None
    assert other.driver is None


def test_a_keyboard_is_none_of_ours() -> None:
    assert recognise(0x046D, frozenset({3}), {}) is None


@pytest.mark.parametrize(
    ("serial", "own"),
    [
        ("J5KF001234", True),
        ("7", True),
        ("00000012", True),
        (None, False),
        ("", False),
        (" ", False),
        ("12345678", False),
        ("0" * 10, False),
        ("0000-0000", False),
        ("FFFFFFFF", False),
        ("XXXXXXXXXX", False),
    ],
)
def test_a_serial_number_that_every_such_device_has_is_none(serial: str | None, own: bool) -> None:
    assert is_own_serial(serial) is own
