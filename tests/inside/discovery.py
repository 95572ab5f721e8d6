"""In a guest: what `devices` and `doctor` say of devices on the kernel's own bus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from agent.config.file import load
from agent.discovery.attached import looked_at
from agent.discovery.doctor import examine, report
from agent.discovery.finding import Given
from agent.discovery.machine import Machine
from drivers.link.passive import ROOT
from tests.inside.bench import OnBus, another, driver_of, on_bus, told, until

HOME = "1-1"
DRIVERS = {"escpos": "usblp", "ccid": None, "magtek": "usbhid", "vivotech": "usbhid"}
HEAD = 'config_version = 1\n[terminal]\nid = "T-1"\n[mqtt]\nurl = "mqtt://127.0.0.1"\n'
FILE = Path("/tmp/tillwatch.toml")  # noqa: S108 - the guest's own, empty at boot


def main() -> None:
    for model in sys.argv[1:]:
        with on_bus(model) as device:
            told(seen, device, model)


def seen(device: OnBus, model: str) -> dict[str, Any]:
    """The device, its block, and what the doctor says of a configuration of that block; held, too."""
    device.attach(HOME)
    until(lambda: driver_of(HOME) == DRIVERS[model])
    (found,) = looked_at(ROOT)["usb_devices"]
    FILE.write_text(HEAD + found["config"].replace('access = "passive"', 'access = "exclusive"'))
    said: dict[str, Any] = {"model": model, "device": found, "doctor": doctor()}
    node = found["node"] or found["bus_node"]
    with another(f"held = open({node!r}, 'rb+', buffering=0)") as pid:
        said |= {"pid": pid, "held": doctor()}
    return said


def doctor() -> dict[str, Any]:
    given = Given(
        machine=Machine(ROOT),
        has_module=lambda name: True,
        config=load(FILE, {"STATE_DIRECTORY": "/tmp/state"}),  # noqa: S108 - as above
        view={"devices": {}},
    )
    return report(given, examine(given))


if __name__ == "__main__":
    main()
