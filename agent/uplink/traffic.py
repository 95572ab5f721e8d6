"""What goes out in one session: its status first, then states, then rows in order; each waits for its answer.

A row leaves the outbox only when the broker's PUBACK says success. What a refusal means is a table:
`LATER` the broker has no room now: pause, then the same row again; `AGAIN` it does not say why: the same,
but a third time is enough; `HELD` we may not publish on that topic: no fault of the row, so the topic's rows
stay stored and step aside for others until the topic is tried again; all else is the row's own fault, and
it becomes a dead letter.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agent.messages import Body, Metric, Stamper, encode
from agent.outbox.outbox import Outbox, Stored
from agent.outbox.storage import StorageError
from agent.uplink.client import Answered, BrokerLimits, Connection
from agent.uplink.retry import Timing
from agent.uplink.states import States
from agent.uplink.topics import METRIC, STATUS, Topics

FOR_STATES = 4  #: places in flight that rows leave to states
STRIKES = 3

LATER = frozenset({0x91, 0x97})  #: packet identifier in use, quota exceeded
AGAIN = frozenset({0x80, 0x83})  #: unspecified, implementation specific
HELD = 0x87  #: not authorised

log = logging.getLogger("tillwatch.uplink")


class Suspects:
    """Rows that may be what breaks sessions; outlives the sessions. At most `most` are remembered."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._strikes: dict[tuple[str, int], int] = {}

    def strike(self, row: Stored) -> bool:
        """One more mark; True when it is enough."""
        key = (row.stream, row.seq)
        count = self._strikes.pop(key, 0) + 1
        self._strikes[key] = count
        if len(self._strikes) > self._most:
            self._strikes.pop(next(iter(self._strikes)))
        return count >= STRIKES

    def forget(self, row: Stored) -> None:
        self._strikes.pop((row.stream, row.seq), None)

    def doubtful(self, row: Stored) -> bool:
        """The last chance: it is sent alone, so that no other row is blamed for it."""
        return self._strikes.get((row.stream, row.seq), 0) == STRIKES - 1


@dataclass(frozen=True, slots=True)
class _State:
    """A retained message in flight; an empty payload clears the topic."""

    topic: str


@dataclass(slots=True)
class Announcement:
    """The session's own status, which nothing overtakes."""

    body: Body
    answered: bool = False


class Traffic:
    """One session's sending. Times are on the monotonic clock of the stamper."""

    def __init__(
        self,
        connection: Connection,
        limits: BrokerLimits,
        *,
        outbox: Outbox,
        stamper: Stamper,
        topics: Topics,
        states: States,
        suspects: Suspects,
        timing: Timing,
        cleared: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._outbox = outbox
        self._stamper = stamper
        self._topics = topics
        self._states = states
        self._suspects = suspects
        self._timing = timing
        self._cleared = cleared
        self._flying: dict[int, Stored | _State | Announcement] = {}
        self._announcements: deque[Announcement] = deque()
        self._clears: deque[str] = deque()
        self._stream = outbox.stream
        self._replayed_to = outbox.last_seq
        self._cursor = 0
        self._resume_s = float("-inf")
        self._held: dict[str, float] = {}
        self._complained: set[str] = set()
        self.refused: set[str] = set()  #: topics that the broker does not let us use
        self._unsound: set[str] = set()
        self._storage_failed = False
        states.anew()

    # -- what is to be sent --------------------------------------------------------------------------

    def announce(self, body: Body) -> Announcement:
        """Send a status, before all else."""
        announcement = Announcement(body)
        self._announcements.append(announcement)
        return announcement

    def clear(self, topics: list[str]) -> None:
        """Remove what is retained at these (full) topics."""
        self._clears.extend(topics)

    def metric(self, body: Metric) -> None:
        """Send once, unanswered."""
        payload = self._payload(METRIC, body)
        if payload is not None:
            self._publish(self._topics.full(METRIC), payload, qos=0, retain=False)

    def pump(self, now_s: float) -> None:
        """Send whatever may be sent now."""
        while self._announcements and self._room() > 0:
            announcement = self._announcements.popleft()
            self._send(self._topics.full(STATUS), self._stamped(announcement.body), announcement)
        if self._room() > 0:
            for below, body in self._states.take(now_s, self._room()):
                topic, payload = self._topics.full(below), self._payload(below, body)
                if payload is not None:
                    self._send(topic, payload, _State(topic))
        while self._clears and self._room() > 0:
            topic = self._clears.popleft()
            self._send(topic, "", _State(topic))
        self._send_rows(now_s)

    def next_due_s(self) -> float | None:
        """When `pump` has something to do that no answer brings about."""
        moments = list(self._held.values())
        states_due_s = self._states.next_due_s() if self._room() > 0 else None
        if states_due_s is not None:
            moments.append(states_due_s)
        if self._resume_s > float("-inf"):
            moments.append(self._resume_s)
        return min(moments, default=None)

    # -- answers -------------------------------------------------------------------------------------

    def answered(self, answer: Answered, now_s: float) -> None:
        what = self._flying.pop(answer.mid, None)
        refused = answer.code >= 0x80
        match what:
            case Stored():
                if refused:
                    self._row_refused(what, answer, now_s)
                else:
                    self.refused.discard(self._topics.full(what.topic))
                    self._suspects.forget(what)
                    self._outbox.acknowledge([what])
            case Announcement():
                what.answered = True
                if refused:
                    self._complain(self._topics.full(STATUS), answer)
            case _State():
                if refused:
                    self._complain(what.topic, answer)
                else:
                    self.refused.discard(what.topic)
                    self._cleared(what.topic)
            case None:  # a metric: nobody answers those, paho only says that it left
                pass

    def broken(self) -> None:
        """The session ended badly: the row that waited longest for its answer is suspect."""
        head = next((what for what in self._flying.values() if isinstance(what, Stored)), None)
        if head is not None and self._suspects.strike(head):
            self._suspects.forget(head)
            self._bury(head, f"at the head of {STRIKES} broken sessions")

    def _row_refused(self, row: Stored, answer: Answered, now_s: float) -> None:
        if answer.code == HELD:
            self._complain(self._topics.full(row.topic), answer)
            self._held[row.topic] = now_s + self._timing.held_s
            return
        if answer.code in LATER or (answer.code in AGAIN and not self._suspects.strike(row)):
            self._complain(self._topics.full(row.topic), answer)
            self._resume_s = now_s + self._timing.refused_pause_s
            self._cursor = min(self._cursor, row.seq - 1)
            return
        self._suspects.forget(row)
        self._bury(row, f"refused by the broker: {answer.text} (0x{answer.code:02x})")

    def _bury(self, row: Stored, reason: str) -> None:
        log.error("event %d on %s is put away as a dead letter: %s", row.seq, row.topic, reason)
        self._outbox.dead_letter(row, reason)

    def _complain(self, topic: str, answer: Answered) -> None:
        """Once a session for each topic."""
        if answer.code == HELD:
            self.refused.add(topic)
        if topic not in self._complained:
            self._complained.add(topic)
            log.warning(
                "the broker refuses what we publish on %s: %s (0x%02x); check its rules for this client",
                topic, answer.text, answer.code,
            )  # fmt: skip

    # -- rows ----------------------------------------------------------------------------------------

    def _send_rows(self, now_s: float) -> None:
        if self._limits.qos == 0 or now_s < self._resume_s:
            return  # without acknowledgements no row could ever leave the outbox, so none is sent
        self._resume_s = float("-inf")
        self._release_held(now_s)
        if self._outbox.stream != self._stream:  # the database was replaced while we were connected
            self._stream, self._cursor, self._replayed_to = self._outbox.stream, 0, 0
        while (room := self._room_for_rows()) > 0:
            rows = self._head(room)
            if not rows:
                return
            for row in rows:
                if not self._send_row(row):
                    return
                self._cursor = row.seq

    def _send_row(self, row: Stored) -> bool:
        """False where it must wait for what is in flight."""
        flying = [what for what in self._flying.values() if isinstance(what, Stored)]
        if row.topic in self._held or row in flying:
            return True
        if flying and (self._suspects.doubtful(row) or self._suspects.doubtful(flying[0])):
            return False
        topic = self._topics.full(row.topic)
        payload = row.payload
        if row.seq <= self._replayed_to:
            payload = payload[:-1] + ',"replayed":true}'
        most = self._limits.packet_bytes
        if most is not None and self._connection.packet_bytes(topic, payload) > most:
            self._bury(row, f"larger than the broker takes ({most} bytes)")
            return True
        self._send(topic, payload, row, retain=False)
        return True

    def _head(self, room: int) -> list[Stored]:
        try:
            rows = self._outbox.head(self._cursor, room)
        except StorageError as error:
            if not self._storage_failed:
                log.error("%s (%s)", error, error.hint)  # noqa: TRY400 one line; a traceback says no more
            self._storage_failed = True
            return []
        self._storage_failed = False
        return rows

    def _release_held(self, now_s: float) -> None:
        over = [topic for topic, until_s in self._held.items() if until_s <= now_s]
        for topic in over:
            del self._held[topic]
        if over:
            self._cursor = 0

    # -- places in flight ----------------------------------------------------------------------------

    def _room(self) -> int:
        return self._limits.in_flight - len(self._flying)

    def _room_for_rows(self) -> int:
        kept_free = min(FOR_STATES, self._limits.in_flight // 4)
        return self._room() - kept_free

    def _send(
        self, topic: str, payload: str, what: Stored | _State | Announcement, *, retain: bool = True
    ) -> None:
        qos = self._limits.qos
        mid = self._publish(topic, payload, qos=qos, retain=retain and self._limits.retain)
        if qos:
            self._flying[mid] = what
        elif isinstance(what, Announcement):
            what.answered = True

    def _publish(self, topic: str, payload: str, *, qos: int, retain: bool) -> int:
        return self._connection.publish(topic, payload, qos=qos, retain=retain)

    def _payload(self, below: str, body: Body) -> str | None:
        """None, and a line in the log once a session, where a driver told what JSON does not have."""
        try:
            return self._stamped(body)
        except (TypeError, ValueError) as wrong:
            if below not in self._unsound:
                self._unsound.add(below)
                log.warning("%s is not published: %s", below, wrong)
            return None

    def _stamped(self, body: Body) -> str:
        return encode(self._stamper.stamp(body, as_of=self._outbox.last_seq))
