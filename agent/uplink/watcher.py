"""A subscriber: what the command line, the scenarios and the tests see of a broker."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.config import Mqtt
from agent.messages import new_id
from agent.uplink import dial
from agent.uplink.client import Accepted, Connection, Ended, Heard, Login, Refused, Subscribed
from agent.uplink.reasons import CONNACK_WORDS, Trouble, Troubled
from agent.uplink.retry import Timing
from agent.uplink.waker import Waker

PORTS = {"mqtt": 1883, "mqtts": 8883}
RETRY_S = 0.5
TURN_S = 1.0

log = logging.getLogger("tillwatch.uplink")


@dataclass(frozen=True, slots=True)
class Message:
    """`payload` is parsed where it is JSON, else text; None where it is empty (a cleared topic)."""

    topic: str
    retain: bool
    qos: int
    payload: Any
    received_monotonic_ns: int


def broker_from_url(url: str, *, ca_file: Path | None = None) -> Mqtt:
    """`mqtt://host[:port]` or `mqtts://host[:port]`; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(
            f"not a broker's address: {url}; it looks like mqtt://host:1883 or mqtts://host:8883"
        )
    return Mqtt(
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        ca_file=ca_file,
    )


class Watcher:
    """Subscribes to `topics` and calls `on_message` from its own thread, which reconnects by itself.

    It speaks MQTT 3.1.1, which every broker does. `trouble` is why it is not connected now, or None.
    """

    def __init__(
        self,
        broker: Mqtt | str,
        topics: Iterable[str],
        on_message: Callable[[Message], None],
        *,
        qos: int = 1,
    ) -> None:
        self._mqtt = broker_from_url(broker) if isinstance(broker, str) else broker
        self._topics = list(topics)
        self._on_message = on_message
        self._qos = qos
        self._waker = Waker()
        self._subscribed = threading.Event()
        self._stopping = False
        self._again = False
        self.trouble: Trouble | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self, wait_s: float = 5.0) -> bool:
        """Begin; True once subscribed, False if that took longer than `wait_s` (it goes on trying)."""
        self._thread.start()
        return self._subscribed.wait(wait_s)

    def resubscribe(self, wait_s: float = 5.0) -> bool:
        """Subscribe anew, so that the broker sends all that is retained again; True once it answered."""
        self._subscribed.clear()
        self._again = True
        self._waker.wake()
        return self._subscribed.wait(wait_s)

    def stop(self, timeout_s: float = 5.0) -> bool:
        """Disconnect and end; False if the thread did not end in time."""
        self._stopping = True
        self._waker.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._waker.close()
        return True

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._watch()
            except Troubled as troubled:
                self.trouble = troubled.trouble
                ends_s = time.monotonic() + RETRY_S
                while not self._stopping and (left_s := ends_s - time.monotonic()) > 0:
                    self._waker.sleep(None, left_s)

    def _watch(self) -> None:
        dialling = dial.Dialling(self._mqtt, Timing().connect_s, self._waker.wake)
        while (sock := dialling.take()) is None:
            if self._stopping or dialling.overdue():
                raise Troubled(dialling.abandon())
            self._waker.sleep(None, TURN_S)
        login = Login(
            client_id=f"tillwatch-watcher-{new_id()}",
            version="3.1.1",
            keepalive_s=self._mqtt.keepalive_s,
            username=self._mqtt.username,
            password=dial.password(self._mqtt),
            clean=True,
        )
        connection = Connection(sock, login)
        try:
            self._serve(connection)
        finally:
            connection.close()

    def _serve(self, connection: Connection) -> None:
        while not self._stopping:
            for note in connection.take():
                match note:
                    case Accepted():
                        self.trouble = None
                        connection.subscribe(self._topics, self._qos)
                    case Subscribed():
                        self._subscribed.set()
                    case Heard():
                        self._tell(_message(note))
                    case Refused(code, text):
                        raise Troubled(Trouble(CONNACK_WORDS.get(code, "refused"), text))
                    case Ended(_, text):
                        raise Troubled(dial.alert_trouble(text) or Trouble("lost", text))
                    case _:
                        pass
            if self._again and connection.accepted:
                self._again = False
                connection.subscribe(self._topics, self._qos)
            if time.monotonic() - connection.heard_s > 1.5 * connection.keepalive_s:
                raise Troubled(Trouble("no_reply"))
            readable, writable = self._waker.sleep(connection, TURN_S)
            connection.turn(readable=readable, writable=writable)
        connection.disconnect()

    def _tell(self, message: Message) -> None:
        try:
            self._on_message(message)
        except Exception:
            log.exception("who watches %s stumbled", message.topic)


def _message(heard: Heard) -> Message:
    text = heard.payload.decode("utf-8", "replace")
    try:
        payload = json.loads(text) if text else None
    except ValueError:
        payload = text
    return Message(heard.topic, heard.retain, heard.qos, payload, heard.received_monotonic_ns)
