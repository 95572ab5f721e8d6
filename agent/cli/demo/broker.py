"""The demo's broker: mosquitto where it is installed, else amqtt in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def command(folder: Path, port: int) -> list[str] | None:
    """What to start for a broker on loopback; None where there is neither of the two."""
    mosquitto = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if mosquitto:
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} {LOOPBACK}\nallow_anonymous true\npersistence false\n", encoding="ascii"
        )
        return [mosquitto, "-c", str(config)]
    if importlib.util.find_spec("amqtt"):
        return [sys.executable, "-m", "agent.cli.demo.embedded", str(port)]
    return None
