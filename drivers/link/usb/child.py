"""In the child process: SET_CONFIGURATION and reset, which may never return. See `drivers.link.child`."""

from __future__ import annotations

from drivers.api import Deadline, Json, SystemClock
from drivers.errors import Absent, LinkError
from drivers.link.address import UsbAddress
from drivers.link.usb.backend import TROUBLE, number, said
from drivers.link.usb.bus import Bus, bus_of

IDLE_S: float | None = 10.0
FIND_S = 1.0
_ENODEV = 19

_buses: dict[str | None, Bus] = {}


def answer(request: dict[str, Json]) -> dict[str, Json]:
    """`{"do": "configure" | "reset", "value", ...the address}` -> `{}` or `{"error": errno, "text"}`."""
    fields = {name: request[name] for name in ("vid", "pid", "serial", "port", "backend")}
    at = UsbAddress(**fields)  # type: ignore[arg-type]  # our own process wrote them
    try:
        found = _buses.setdefault(at.backend, bus_of(at)).find(at, Deadline.after(SystemClock(), FIND_S))
        handle = found.backend.open_device(found.dev)
        try:
            if request["do"] == "reset":
                found.backend.reset_device(handle)
            else:
                found.backend.set_configuration(handle, int(str(request["value"])))
        finally:
            found.backend.close_device(handle)
    except Absent as error:
        return {"error": _ENODEV, "text": str(error)}
    except LinkError as error:
        return {"error": 0, "text": str(error)}
    except TROUBLE as error:
        return {"error": number(error), "text": said(error)}
    return {}
