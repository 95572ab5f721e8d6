"""The HTTP door: a loopback port for tills that run in a browser."""

from __future__ import annotations

import socket

from agent.config import Till
from agent.till.speakers import Speakers
from agent.till.stream import Ask, StreamDoor
from agent.till.web import Web, WebTalk
from drivers.api import Clock


def http_door(till: Till, speakers: Speakers, ask: Ask, clock: Clock) -> StreamDoor:
    """At `till.http`, which the configuration has checked to be loopback."""
    host, _, port = till.http.rpartition(":")
    web = Web(host, int(port), till.origins, speakers)
    return StreamDoor(f"http {till.http}", lambda: _listen(host, int(port)), lambda: WebTalk(web), ask, clock)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A daemon that was restarted finds its port again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
    except BaseException:
        listener.close()
        raise
    return listener
