"""Tells systemd how the service is, by the protocol of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket

SEND_S = 1.0

log = logging.getLogger("tillwatch.sdnotify")


def notify(*fields: str) -> bool:
    """Send `READY=1`, `WATCHDOG=1`, `STATUS=...`; whether a service manager was told.

    Without a service manager (no NOTIFY_SOCKET) this does nothing.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] not in ("/", "@"):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
        speaker.settimeout(SEND_S)
        try:
            speaker.sendto("\n".join(field.replace("\n", " ") for field in fields).encode(), address)
        except OSError as error:
            log.debug("%s: the service manager was not told: %s", path, error)
            return False
    return True
