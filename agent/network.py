"""The network as a device of the terminal: how it is configured, and what the uplink shows it."""

from __future__ import annotations

from agent.config import Config, Device
from agent.uplink.session import Uplink
from drivers.api import Json
from drivers.network.session import SessionState

NETWORK = "network"
REPLY_S = 3.0
"""Its worker gives a look five of these: a way that is dead takes long to be found so."""


def network_device(config: Config) -> Device:
    """The way to the broker, as a device like any other."""
    mqtt = config.mqtt
    files = {"ca_file": mqtt.ca_file, "cert_file": mqtt.cert_file, "key_file": mqtt.key_file}
    options: dict[str, Json] = {
        "vitals": config.host.vitals,
        "clock": config.agent.clock,
        "host": mqtt.host,
        "port": mqtt.port,
        "tls": mqtt.tls,
        "check_url": config.network.check_url,
        **{key: str(path) for key, path in files.items() if path is not None},
    }
    return Device(
        id=NETWORK,
        driver=NETWORK,
        link="",
        access="exclusive",
        poll_s=config.network.poll_s,
        reply_s=REPLY_S,
        options=options,
    )


class UplinkView:
    """`drivers.network.session.SessionView` of the daemon's own uplink."""

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink

    def state(self) -> SessionState:
        return self._uplink.view()

    def hurry(self) -> None:
        self._uplink.hurry()
