"""Every model there is, by name. The names of device models are those of the drivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.devices.ccid import CcidReader
from simulator.devices.device import BadSetting, Device
from simulator.devices.escpos import EscposPrinter
from simulator.devices.host import Host

MODELS: Mapping[str, Callable[[], Device]] = {"ccid": CcidReader, "escpos": EscposPrinter, "host": Host}


def make_model(name: str) -> Device:
    if name not in MODELS:
        raise BadSetting(f"{name}: no such model; there are {', '.join(MODELS)}")
    return MODELS[name]()
