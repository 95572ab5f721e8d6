"""One MQTT connection over a socket that is already there: paho, driven by the thread that owns it.

paho's callbacks only note what happened; `turn` moves bytes, `take` gives the notes. Nothing paho says of
its own state is relied on: whether the broker lives is judged by what was heard, and a connection that
ended is never used again.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.uplink.retry import Version

SESSION_EXPIRY_S = 3600
"""Long enough for commands to survive an outage; the outbox needs no session at the broker."""
INCOMING_MOST = 256 * 1024
IN_FLIGHT_MOST = 20

_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class Will:
    topic: str
    payload: str


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What the broker's CONNACK allows (MQTT 5.0 section 3.2.2.3); the defaults are those of 3.1.1."""

    in_flight: int = IN_FLIGHT_MOST
    packet_bytes: int | None = None
    qos: int = 1
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Accepted:
    limits: BrokerLimits


@dataclass(frozen=True, slots=True)
class Refused:
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's PUBACK; a code from 0x80 on is a refusal."""

    mid: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    codes: list[int]


@dataclass(frozen=True, slots=True)
class Heard:
    """A message to us."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    received_monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """`code` is the broker's own word (a DISCONNECT of MQTT 5), None when the line just closed."""

    code: int | None
    text: str


Note = Accepted | Refused | Answered | Subscribed | Heard | Ended


class _Paho(paho.Client):
    """paho over a socket of ours: the name lookup and the handshake keep our deadline, not paho's."""

    def __init__(self, sock: socket.socket, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, reconnect_on_failure=False, **options)
        self._ours = sock

    def _create_socket(self) -> paho.SocketLike:
        return self._ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What CONNECT says."""

    client_id: str
    version: Version
    keepalive_s: int
    username: str | None = None
    password: str | None = None
    will: Will | None = None
    will_qos: int = 1
    will_retain: bool = True
    clean: bool = False


@dataclass(slots=True)
class _Notes:
    found: list[Note] = field(default_factory=list)
    line_error: str = ""


class Connection:
    """From CONNECT to the end. `heard_s` is when the broker last sent anything, on the monotonic clock."""

    def __init__(self, sock: socket.socket, login: Login) -> None:
        five = login.version == "5"
        self._sock = sock
        self._notes = _Notes()
        self._version = login.version
        self.heard_s = time.monotonic()
        self.keepalive_s = float(login.keepalive_s)
        self.accepted = False
        self._paho = _Paho(
            sock,
            client_id=login.client_id,
            protocol=_VERSIONS[login.version],
            clean_session=None if five else login.clean,
        )
        self._paho.max_inflight_messages_set(IN_FLIGHT_MOST)
        if login.username is not None:
            self._paho.username_pw_set(login.username, login.password)
        if login.will is not None:
            self._paho.will_set(login.will.topic, login.will.payload, login.will_qos, login.will_retain)
        self._note_everything()
        self._paho.connect(
            "broker",  # only for paho's own check: the socket is connected
            keepalive=login.keepalive_s,
            # paho wants its own default here for 3.1.1, where clean_session says it.
            clean_start=login.clean if five else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=_connect_properties(login) if five else None,
        )

    def _note_everything(self) -> None:
        found = self._notes.found

        def on_connect(_c: Any, _u: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
            if code.is_failure:
                found.append(Refused(code.value, str(code)))
                return
            self.keepalive_s = float(getattr(properties, "ServerKeepAlive", self.keepalive_s))
            self.accepted = True
            found.append(Accepted(_limits(properties)))

        def on_publish(_c: Any, _u: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
            found.append(Answered(mid, code.value, str(code)))

        def on_subscribe(_c: Any, _u: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
            found.append(Subscribed([code.value for code in codes]))

        def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
            try:
                topic = message.topic
            except UnicodeDecodeError:
                return  # not a topic; nothing we subscribe to can be meant
            now_ns = time.monotonic_ns()
            found.append(Heard(topic, bytes(message.payload), message.qos, message.retain, now_ns))

        def on_disconnect(_c: Any, _u: Any, flags: paho.DisconnectFlags, code: ReasonCode, _p: Any) -> None:
            said = code.value if flags.is_disconnect_packet_from_server else None
            found.append(Ended(said, self._notes.line_error or str(code)))

        def on_log(_c: Any, _u: Any, level: int, text: str) -> None:
            if level == LogLevel.MQTT_LOG_ERR:
                self._notes.line_error = text

        self._paho.on_connect = on_connect
        self._paho.on_publish = on_publish
        self._paho.on_subscribe = on_subscribe
        self._paho.on_message = on_message
        self._paho.on_disconnect = on_disconnect
        self._paho.on_log = on_log

    # -- for the loop --------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._sock.fileno()

    def want_write(self) -> bool:
        return self._paho.want_write()

    def turn(self, *, readable: bool, writable: bool) -> None:
        """Move what can be moved, and ping when it is time."""
        if readable:
            self.heard_s = time.monotonic()
            self._paho.loop_read()
            while isinstance(self._sock, ssl.SSLSocket) and self._alive() and self._sock.pending():
                self._paho.loop_read()
        if writable and self._alive():
            self._paho.loop_write()
        if self.accepted and self._alive():  # before, paho would give up after one keepalive
            self._paho.loop_misc()

    def take(self) -> list[Note]:
        """What happened since the last time."""
        taken = list(self._notes.found)
        self._notes.found.clear()
        return taken

    def _alive(self) -> bool:
        return self._paho.socket() is not None

    # -- what can be said ----------------------------------------------------------------------------

    def publish(self, topic: str, payload: str, *, qos: int, retain: bool) -> int:
        """Send; the number that the broker's answer will carry. Whether it left shows in the notes."""
        return self._paho.publish(topic, payload.encode(), qos=qos, retain=retain).mid

    def packet_bytes(self, topic: str, payload: str) -> int:
        """How long that PUBLISH is on the wire, rounded up by at most three bytes (section 3.3)."""
        return 5 + 2 + len(topic.encode()) + 2 + (1 if self._version == "5" else 0) + len(payload.encode())

    def subscribe(self, topics: list[str], qos: int = 0) -> None:
        self._paho.subscribe([(topic, qos) for topic in topics])

    def disconnect(self) -> None:
        """The clean end: no will is published."""
        if self._alive():
            self._paho.disconnect()

    def close(self) -> None:
        """Let go of the socket, without a word."""
        self._paho.on_disconnect = None
        try:
            self._sock.close()
        finally:
            self._notes.found.clear()


def _connect_properties(login: Login) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own gap
    properties.SessionExpiryInterval = 0 if login.clean else SESSION_EXPIRY_S
    properties.MaximumPacketSize = INCOMING_MOST
    return properties


def _limits(properties: Any) -> BrokerLimits:
    return BrokerLimits(
        in_flight=min(IN_FLIGHT_MOST, getattr(properties, "ReceiveMaximum", IN_FLIGHT_MOST)),
        packet_bytes=getattr(properties, "MaximumPacketSize", None),
        qos=min(1, getattr(properties, "MaximumQoS", 1)),
        retain=bool(getattr(properties, "RetainAvailable", 1)),
    )
