"""One session with the broker: CONNECT over a ready socket, to the trouble that ends it or a clean stop."""

from __future__ import annotations

import json
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from agent.config import Config
from agent.messages import Metric, Stamper, Status, StatusReason, encode, new_id, rfc3339
from agent.outbox.outbox import Outbox
from agent.uplink import dial
from agent.uplink.client import (
    Accepted,
    Answered,
    BrokerLimits,
    Connection,
    Ended,
    Heard,
    Login,
    Note,
    Refused,
    Subscribed,
    Will,
)
from agent.uplink.reasons import CONNACK_WORDS, Trouble, Troubled
from agent.uplink.retained import Retained
from agent.uplink.retry import Namesake, Timing, Version
from agent.uplink.states import States
from agent.uplink.topics import STATUS, Topics
from agent.uplink.traffic import Announcement, Suspects, Traffic
from agent.uplink.view import LiveSession

TURN_S = 1.0
SILENCE = 1.5  #: keepalives without a word from the broker end the session
CORRECT_S = 1.0  #: between corrections of a foreign status
SESSIONS_REMEMBERED = 64

REFUSED = 0x80
VERSION_REFUSED = 0x84
TAKEN_OVER = 0x8E
RETAIN_REFUSED = 0x9A
QOS_REFUSED = 0x9B
PAHO_KNOWS_NOT = "Unspecified error"
"""What paho says where the broker just hung up."""

log = logging.getLogger("tillwatch.uplink")


@dataclass(slots=True, kw_only=True)
class Lasting:
    """What outlives a session."""

    config: Config
    outbox: Outbox
    stamper: Stamper
    topics: Topics
    timing: Timing
    retained: Retained
    namesake: Namesake
    states: States = field(default_factory=States)
    metrics: deque[Metric] = field(default_factory=lambda: deque(maxlen=16))
    suspects: Suspects = field(default_factory=Suspects)
    sessions: deque[str] = field(default_factory=lambda: deque(maxlen=SESSIONS_REMEMBERED))
    will_qos: int = 1
    will_retain: bool = True
    live: LiveSession | None = None  #: the session that stands, for others to look at


class Session:
    """`wait` sleeps until the connection, a caller or the time given has something; `stopping` tells why."""

    def __init__(
        self,
        lasting: Lasting,
        version: Version,
        *,
        wait: Callable[[Connection, float], tuple[bool, bool]],
        stopping: Callable[[], StatusReason | None],
        enough: Callable[[], bool],
        welcomed: Callable[[Session], None],
    ) -> None:
        self._lasting = lasting
        self.version: Version = version
        self._wait_for = wait
        self._stopping = stopping
        self._enough = enough
        self._welcomed = welcomed
        self._clock = lasting.stamper.clock
        self.id = new_id()
        self._challenge = secrets.token_hex(16)
        self._connected_at = rfc3339(self._clock.wall_s())
        self._first = not lasting.sessions
        self._hello: Announcement | None = None
        self._correct_s: float | None = None
        self._subscribe_s = float("inf")
        self._corrected_s = float("-inf")
        self.traffic: Traffic | None = None
        self.accepted_s: float | None = None
        self.version_in_doubt = False
        self.version_refused = False

    def run(self, sock: socket.socket) -> None:
        """Until told to stop; raises `Troubled` for every other end."""
        try:
            login = self._login()
            self._lasting.sessions.append(self.id)
            connection = Connection(sock, login)
        except BaseException:
            sock.close()
            raise
        try:
            limits = self._await_connack(connection)
            self._serve(connection, self._welcome(connection, limits, sock))
        finally:
            self._lasting.live = None
            connection.close()

    def lasted_s(self) -> float:
        """Since the broker let us in."""
        return 0.0 if self.accepted_s is None else self._clock.monotonic_s() - self.accepted_s

    # -- beginning -----------------------------------------------------------------------------------

    def _login(self) -> Login:
        mqtt = self._lasting.config.mqtt
        will = self._lasting.stamper.stamp(
            self._status("offline", "lost"), as_of=self._lasting.outbox.last_seq
        )
        return Login(
            client_id=f"tillwatch-{self._lasting.topics.terminal}",
            version=self.version,
            keepalive_s=mqtt.keepalive_s,
            username=mqtt.username,
            password=dial.password(mqtt),
            will=Will(self._lasting.topics.full(STATUS), encode(will)),
            will_qos=self._lasting.will_qos,
            will_retain=self._lasting.will_retain,
        )

    def _await_connack(self, connection: Connection) -> BrokerLimits:
        ends_s = self._clock.monotonic_s() + self._lasting.timing.connect_s
        while True:
            for note in connection.take():
                match note:
                    case Accepted(limits):
                        return limits
                    case Refused():
                        raise Troubled(self._refused(note))
                    case Ended(_, text):
                        alert = dial.alert_trouble(text)
                        self.version_in_doubt = alert is None
                        raise Troubled(alert or Trouble("closed", text))
            left_s = ends_s - self._clock.monotonic_s()
            if left_s <= 0 or self._stopping() is not None:
                self.version_in_doubt = True
                raise Troubled(Trouble("silent"))
            self._turn(connection, left_s)

    def _refused(self, note: Refused) -> Trouble:
        self.version_in_doubt = self.version_refused = note.code == VERSION_REFUSED
        if note.code == RETAIN_REFUSED:
            self._lasting.will_retain = False
        if note.code == QOS_REFUSED:
            self._lasting.will_qos = 0
        return Trouble(CONNACK_WORDS.get(note.code, "refused"), f"{note.text}, 0x{note.code:02x}")

    def _welcome(self, connection: Connection, limits: BrokerLimits, sock: socket.socket) -> Traffic:
        lasting = self._lasting
        self.accepted_s = self._clock.monotonic_s()
        if limits.qos == 0:
            log.error("the broker takes no QoS 1: events stay stored here until it does")
        if not limits.retain:
            log.error("the broker retains nothing: who connects to it later sees no states")
        lasting.retained.anew()
        traffic = self.traffic = Traffic(
            connection,
            limits,
            outbox=lasting.outbox,
            stamper=lasting.stamper,
            topics=lasting.topics,
            states=lasting.states,
            suspects=lasting.suspects,
            timing=lasting.timing,
            cleared=lasting.retained.cleared,
        )
        # Subscribed first: what is retained there now tells of a namesake.
        connection.subscribe([lasting.topics.full(STATUS)])
        self._hello = traffic.announce(self._status("online", "started"))
        lasting.live = LiveSession.of(sock, traffic.refused)
        self._welcomed(self)
        return traffic

    # -- the session ---------------------------------------------------------------------------------

    def _serve(self, connection: Connection, traffic: Traffic) -> None:
        while True:
            now_s = self._clock.monotonic_s()
            for note in connection.take():
                self._take(note, traffic, now_s)
            reason = self._stopping()
            if reason is not None:
                self._say_farewell(connection, traffic, reason)
                return
            if connection.keepalive_s and now_s - connection.heard_s > SILENCE * connection.keepalive_s:
                raise Troubled(Trouble("no_reply", f"silent for {now_s - connection.heard_s:.1f} s"))
            if self._enough():
                connection.disconnect()
                raise Troubled(Trouble("upgrade"))
            self._send(connection, traffic, now_s)
            turn_s = min(TURN_S, connection.keepalive_s / 4) if connection.keepalive_s else TURN_S
            dues = [
                due for due in (traffic.next_due_s(), self._correct_s, self._subscribe_s) if due is not None
            ]
            self._turn(connection, min([turn_s, *(max(0.0, due - now_s) for due in dues)]))

    def _send(self, connection: Connection, traffic: Traffic, now_s: float) -> None:
        if self._correct_s is not None and now_s >= self._correct_s:
            self._correct_s, self._corrected_s = None, now_s
            traffic.announce(self._status("online", "started"))
        if now_s >= self._subscribe_s:
            self._subscribe_s = now_s + self._lasting.timing.held_s
            connection.subscribe([self._lasting.topics.full(STATUS)])
        traffic.clear(self._lasting.retained.take_orphans())
        while self._lasting.metrics:
            traffic.metric(self._lasting.metrics.popleft())
        traffic.pump(now_s)

    def _take(self, note: Note, traffic: Traffic, now_s: float) -> None:
        match note:
            case Answered():
                traffic.answered(note, now_s)
            case Heard(topic=topic) if topic == self._lasting.topics.full(STATUS):
                self._judge_status(note.payload, now_s)
            case Subscribed(codes):
                self._subscribed(max(codes), traffic, now_s)
            case Ended(code, text):
                raise Troubled(self._end(code, text))
            case _:
                pass

    def _subscribed(self, code: int, traffic: Traffic, now_s: float) -> None:
        status = self._lasting.topics.full(STATUS)
        if code < REFUSED:
            traffic.refused.discard(status)
            self._subscribe_s = float("inf")
            return
        if self._subscribe_s == float("inf"):
            log.warning("the broker refuses our subscription to our own status (0x%02x)", code)
        traffic.refused.add(status)
        self._subscribe_s = now_s + self._lasting.timing.held_s  # its rules may change meanwhile

    def _end(self, code: int | None, text: str) -> Trouble:
        if code == TAKEN_OVER:
            return Trouble("taken_over", text)
        if code is not None:
            return Trouble("lost", f"the broker says: {text}")
        return dial.alert_trouble(text) or Trouble("lost", "" if text == PAHO_KNOWS_NOT else text)

    def _judge_status(self, payload: bytes, now_s: float) -> None:
        """Our own status as the broker tells it: a late will or a stranger's word is corrected."""
        try:
            said = json.loads(payload)
            session, state = said["session"], said["state"]
        except (ValueError, KeyError, TypeError):
            session = state = None
        if session == self.id and state == "online":
            return
        if session is not None and session not in self._lasting.sessions and not self._first:
            self._lasting.namesake.seen()
        told_since = self._hello is not None and self._hello.answered
        if told_since and self._correct_s is None:
            self._correct_s = max(now_s, self._corrected_s + CORRECT_S)

    def _status(self, state: Literal["online", "offline"], reason: StatusReason) -> Status:
        if reason == "started" and self._lasting.namesake.known:
            reason = "duplicate_identity"
        return Status(
            state=state,
            reason=reason,
            session=self.id,
            connected_at=self._connected_at,
            challenge=self._challenge,
        )

    # -- the end -------------------------------------------------------------------------------------

    def _say_farewell(self, connection: Connection, traffic: Traffic, reason: StatusReason) -> None:
        farewell = traffic.announce(self._status("offline", reason))
        ends_s = self._clock.monotonic_s() + self._lasting.timing.farewell_s
        traffic.pump(self._clock.monotonic_s())
        while not farewell.answered and (now_s := self._clock.monotonic_s()) < ends_s:
            self._turn(connection, ends_s - now_s)
            for note in connection.take():
                if isinstance(note, Ended):
                    return
                if isinstance(note, Answered):
                    traffic.answered(note, now_s)
            traffic.pump(now_s)
        connection.disconnect()

    def _turn(self, connection: Connection, seconds: float) -> None:
        readable, writable = self._wait_for(connection, seconds)
        connection.turn(readable=readable, writable=writable)
