"""Every model there is, by name. The names of device models are those of the drivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.devices.device import BadSetting, Device
from simulator.devices.display.aedex import AedexDisplay
from simulator.devices.display.cd5220 import Cd5220Display
from simulator.devices.display.dmd import DmdDisplay
from simulator.devices.display.logic_controls import LogicControlsDisplay
from simulator.devices.display.ncr597x import Ncr597xDisplay
from simulator.devices.host import Host
from simulator.devices.printer.escpos import EscposPrinter
from simulator.devices.printer.star import StarPrinter
from simulator.devices.reader.ccid import CcidReader
from simulator.devices.reader.magtek import MagtekReader
from simulator.devices.reader.vivotech import VivotechReader
from simulator.devices.terminal.zvt import PaymentTerminal

MODELS: Mapping[str, Callable[[], Device]] = {
    "aedex": AedexDisplay,
    "ccid": CcidReader,
    "cd5220": Cd5220Display,
    "dmd": DmdDisplay,
    "escpos": EscposPrinter,
    "host": Host,
    "logic_controls": LogicControlsDisplay,
    "magtek": MagtekReader,
    "ncr597x": Ncr597xDisplay,
    "star": StarPrinter,
    "vivotech": VivotechReader,
    "zvt": PaymentTerminal,
}

_USB = ("usb", "usbip")
DOORS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("aedex", "cd5220", "logic_controls", "ncr597x"), ("tty",)),
    **dict.fromkeys(("ccid", "magtek"), _USB),
    **dict.fromkeys(("dmd", "vivotech"), ("tty", *_USB)),
    **dict.fromkeys(("escpos", "star"), ("tty", "tcp", *_USB)),
    "host": ("file",),
    "zvt": ("tty", "tcp"),
}
"""Behind which doors each model stands, as the real device does."""


def make_model(name: str) -> Device:
    if name not in MODELS:
        raise BadSetting(f"{name}: no such model; there are {', '.join(MODELS)}")
    return MODELS[name]()
