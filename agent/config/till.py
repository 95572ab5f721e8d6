"""Readers of what concerns the till: the loopback address, the pages that may speak there, the display."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

from agent.config.values import text, texts

_ADDRESS = re.compile(r"([0-9.]+|\[::1\]):([0-9]{1,5})")
_DISPLAY = re.compile(r":[0-9]{1,5}(\.[0-9]{1,3})?")


def loopback(value: object) -> str:
    """HOST:PORT that no other machine can reach; the host as a number."""
    said = text()(value)
    parts = _ADDRESS.fullmatch(said)
    if not parts:
        raise ValueError(f'expected an address as in "127.0.0.1:9180" or "[::1]:9180", not "{said}"')
    host, port = parts.groups()
    if not _is_loopback(host):
        raise ValueError(f"{host} is no loopback address; others could reach it; use 127.0.0.1 or [::1]")
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"port {port} is none; expected 1 to 65535")
    return f"{host}:{int(port)}"


def _is_loopback(host: str) -> bool:
    if host == "[::1]":
        return True
    try:
        return socket.inet_pton(socket.AF_INET, host)[0] == 127
    except OSError:
        return False


def origins(value: object) -> tuple[str, ...]:
    """Web pages' origins, written as a browser sends them (RFC 6454)."""
    return tuple(map(_origin, texts(value)))


def _origin(said: str) -> str:
    try:
        url = urlsplit(said)
        host, port = url.hostname or "", url.port
    except ValueError:
        host, port, url = "", None, urlsplit("")
    # A browser leaves out the port that goes without saying.
    usual = {"http": 80, "https": 443}.get(url.scheme)
    shown = f"[{host}]" if ":" in host else host
    written = f"{url.scheme}://{shown}" + (f":{port}" if port is not None and port != usual else "")
    if usual is None or not host or "*" in host or said != written:
        hint = f'; write "{written}"' if usual and host and "*" not in host else ""
        raise ValueError(f'"{said}" is no origin as in "https://till.example:8443"{hint}')
    return said


def display(value: object) -> str:
    """An X display of this machine."""
    said = text()(value)
    if not _DISPLAY.fullmatch(said):
        raise ValueError(f'expected a display of this machine as in ":0", not "{said}"')
    return said
