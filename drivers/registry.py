"""Finds a driver by its name. Built-ins stand in one table and are imported only when asked for.

Other packages add drivers through the entry-point group `tillwatch.drivers`. Two of one name are
an error, whoever brought them: nothing overrides a driver silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module, metadata

from drivers.api import DriverSpec
from drivers.errors import UnknownDriver

GROUP = "tillwatch.drivers"

BUILT_IN: Mapping[str, str] = {
    "aedex": "drivers.display.aedex.driver:SPEC",
    "ccid": "drivers.reader.ccid.driver:SPEC",
    "cd5220": "drivers.display.cd5220.driver:SPEC",
    "dmd": "drivers.display.dmd.driver:SPEC",
    "escpos": "drivers.printer.escpos.driver:SPEC",
    "generic": "drivers.printer.generic.driver:SPEC",
    "host": "drivers.host.driver:SPEC",
    "logic_controls": "drivers.display.logic_controls.driver:SPEC",
    "magtek": "drivers.reader.magtek.driver:SPEC",
    "ncr597x": "drivers.display.ncr597x.driver:SPEC",
    "network": "drivers.network.driver:SPEC",
    "star": "drivers.printer.star.driver:SPEC",
    "vivotech": "drivers.reader.vivotech.driver:SPEC",
    "zvt": "drivers.terminal.zvt.driver:SPEC",
}


def names() -> tuple[str, ...]:
    """Every driver there is, sorted; raises UnknownDriver if two share a name."""
    return tuple(sorted(_table()))


def spec(name: str) -> DriverSpec:
    """The driver of that name; raises UnknownDriver."""
    table = _table()
    if name not in table:
        raise UnknownDriver(f"there is no driver {name!r}; there are: {', '.join(sorted(table))}")
    module, _, attribute = table[name].partition(":")
    try:
        found = getattr(import_module(module), attribute, None)
    except Exception as error:  # the package is somebody else's, and may break in any way
        raise UnknownDriver(
            f"driver {name!r} cannot be loaded from {table[name]}: {type(error).__name__}: {error}",
            hint="install what its package needs, or remove the package",
        ) from error
    if not isinstance(found, DriverSpec) or found.name != name:
        raise UnknownDriver(f"{table[name]} is not the DriverSpec of {name!r}; correct its entry point")
    return found


def _table() -> dict[str, str]:
    table = dict(BUILT_IN)
    for entry in metadata.entry_points(group=GROUP):
        if entry.name in table:
            raise UnknownDriver(
                f"two drivers are named {entry.name!r}: {table[entry.name]} and {entry.value}",
                hint="uninstall one of the two packages",
            )
        table[entry.name] = entry.value
    return table
