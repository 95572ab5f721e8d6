"""What is known by its USB ids or its IEEE-1284 id: data, and one look-up.

Ids as in the USB ID repository (linux-usb.org/usb.ids). A vendor's id says who made the chip that
faces the bus; with an adapter that is not the device behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.printer.profiles import recommend


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What a thing is. `driver` None: nothing of ours speaks to it; `how` says what gave it away."""

    what: str
    how: str
    driver: str | None = None
    profile: str = "plain"


@dataclass(frozen=True, slots=True)
class Known:
    what: str
    driver: str | None = None
    profile: str = "plain"


POS_VENDORS: Mapping[int, Known] = {
    0x04B8: Known("Epson receipt printer", "escpos", "epson-tm"),
    0x0519: Known("Star Micronics receipt printer"),
    0x0801: Known("MagTek card reader", "magtek"),
    0x0ACD: Known("ID TECH card reader", "vivotech"),
    0x0B00: Known("Ingenico payment terminal"),
    0x0DD4: Known("Custom receipt printer", "escpos"),
    0x11CA: Known("Verifone payment terminal"),
    0x1504: Known("Bixolon receipt printer", "escpos"),
}

ADAPTERS: Mapping[int, str] = {
    0x0403: "FTDI serial adapter",
    0x067B: "Prolific serial adapter",
    0x10C4: "Silicon Labs serial adapter",
    0x1A86: "QinHeng (CH340) serial adapter",
}

INTERFACE_CLASSES: Mapping[int, str] = {
    0x07: "printer",
    0x0B: "smart-card reader",
}
"""USB interface classes that belong on a counter (usb.org, defined class codes)."""
CLASS_DRIVERS: Mapping[int, str] = {0x07: "generic", 0x0B: "ccid"}
"""And what speaks to any device of such a class."""

_PRODUCTS = (
    # How a product names itself on the bus -> what it is. The vendor's other things have other names.
    (0x04B8, "DM-D", Known("Epson customer display", "dmd")),
)

PLACEHOLDER_SERIALS = frozenset({"0001", "12345678", "123456789", "1234567890", "0123456789"})
"""Serial numbers that a factory left as they were; every such device has the same."""
_ALIKE_LEAST = 4  #: so many equal characters and nothing else are no number: FFFFFFFF

_LANGUAGES = (
    # A word in the IEEE-1284 command set -> what speaks it.
    ("ESC/POS", Known("ESC/POS receipt printer", "escpos")),
    ("STAR", Known("Star receipt printer", "star")),
    ("ESCPL2", Known("Epson office printer", "generic")),
    ("ESCPR", Known("Epson office printer", "generic")),
)
_LONG_KEYS = {"MANUFACTURER": "MFG", "MODEL": "MDL", "COMMAND SET": "CMD"}


def printable(text: str, most: int) -> str:
    """What a device says of itself, fit to be shown: one line, nothing that moves a cursor."""
    return "".join(c for c in text if c.isprintable()).strip()[:most]


def is_own_serial(serial: str | None) -> bool:
    """Whether a serial number is likely to be one device's alone."""
    bare = (serial or "").strip()
    alike = len(bare) >= _ALIKE_LEAST and len(set(bare)) == 1
    return bool(bare.strip("0 -")) and not alike and bare not in PLACEHOLDER_SERIALS


def ieee1284(text: str) -> dict[str, str]:
    """`MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;` as a dict; long key names become the short ones."""
    fields: dict[str, str] = {}
    for item in text.split(";"):
        key, colon, value = item.partition(":")
        if colon:
            upper = key.strip().upper()
            fields[_LONG_KEYS.get(upper, upper)] = value.strip()
    return fields


def recognise(
    vid: int, interface_classes: frozenset[int], id_1284: Mapping[str, str], product: str = ""
) -> Recognition | None:
    """The most that can be said without a question to the device; None if it is none of ours."""
    spoken = id_1284.get("CMD", "").upper()
    model = " ".join(filter(None, (id_1284.get("MFG"), id_1284.get("MDL"))))
    for word, known in _LANGUAGES:
        if word in spoken:
            return Recognition(
                what=model or known.what,
                how=f"IEEE-1284 id: {spoken}",
                driver=known.driver,
                profile=recommend(known.driver or "", id_1284),
            )
    for maker, name, known in _PRODUCTS:
        if vid == maker and product.upper().startswith(name):
            return Recognition(what=known.what, how=f"name on the bus: {product}", driver=known.driver)
    by_class = next((CLASS_DRIVERS[code] for code in CLASS_DRIVERS if code in interface_classes), None)
    if vid in POS_VENDORS:
        known = POS_VENDORS[vid]
        how = f"USB vendor {vid:04x}"
        driver = known.driver or by_class
        return Recognition(what=model or known.what, how=how, driver=driver, profile=known.profile)
    for code, name in INTERFACE_CLASSES.items():
        if code in interface_classes:
            how = f"USB class {code:#04x}"
            return Recognition(what=model or name, how=how, driver=by_class)
    return None
