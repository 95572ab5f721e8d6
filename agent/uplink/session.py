"""The uplink: one thread that owns the connection to the broker, and rebuilds it for ever.

    dial (own thread, deadline) -> CONNECT -> CONNACK -> status, states, rows ... -> trouble -> pause -> dial

It never waits for a disk or a name server, and whether the broker lives is judged by what is heard from it.
Each connection is a new one: certificates and password are read anew. Callers only leave notes and wake it.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from agent.config import Config
from agent.messages import Body, Metric, Stamper, StatusReason, rfc3339
from agent.outbox.outbox import Outbox
from agent.uplink import dial
from agent.uplink.live import Lasting, Session
from agent.uplink.reasons import Trouble, Troubled
from agent.uplink.retained import Retained
from agent.uplink.retry import Backoff, Namesake, Protocols, Timing, Version
from agent.uplink.topics import Topics
from agent.uplink.waker import Waker
from drivers.api import Json
from drivers.network.session import SessionState

PROTOCOL_KEY = "uplink/protocol"

log = logging.getLogger("tillwatch.uplink")


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkState:
    """For `tillwatch status`: `reason` is a word of `reasons.REASONS`, `detail` the line that explains it."""

    connected: bool
    reason: str
    detail: str
    since: str
    broker: str
    protocol: Version | None = None
    session: str | None = None

    def view(self) -> dict[str, Json]:
        return asdict(self)


class Uplink:
    """Sends the outbox's rows and the latest states. `on_change` is called from its thread."""

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        stamper: Stamper,
        on_change: Callable[[UplinkState], None] = lambda _state: None,
        *,
        timing: Timing | None = None,
    ) -> None:
        timing = timing or Timing()
        self._broker = f"{config.mqtt.host}:{config.mqtt.port}"
        self._outbox = outbox
        self._clock = stamper.clock
        self._on_change = on_change
        topics = Topics(config.mqtt.base, config.terminal.id)
        self._lasting = Lasting(
            config=config,
            outbox=outbox,
            stamper=stamper,
            topics=topics,
            timing=timing,
            retained=Retained(outbox, topics),
            namesake=Namesake(timing),
        )
        self._timing = timing
        self._backoff = Backoff(timing, random.uniform)
        self._protocols = Protocols(outbox.memory().get(PROTOCOL_KEY), self._broker)
        self._dialling: dial.Dialling | None = None
        self._said: set[str] = set()
        self._stop_reason: StatusReason | None = None
        self._hurried = False
        self._state = self._describe(Trouble("connecting"), None)
        self._waker = Waker()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)

    # -- from any thread -----------------------------------------------------------------------------

    @property
    def state(self) -> UplinkState:
        return self._state

    def start(self) -> None:
        self._outbox.listen(self.wake)
        self._thread.start()

    def publish_state(self, topic: str, body: Body) -> None:
        """The latest value of a retained topic (below the terminal's); never waits."""
        self._lasting.retained.remember([topic])
        self._lasting.states.put(topic, body)
        self.wake()

    def publish_metric(self, body: Metric) -> None:
        """Sent once if we are connected, else dropped."""
        if self._state.connected:
            self._lasting.metrics.append(body)
            self.wake()

    def keep(self, topics: Iterable[str]) -> None:
        """These retained topics are still ours; others that we remember are cleared at the broker."""
        self._lasting.retained.keep(topics)
        self.wake()

    def view(self) -> SessionState:
        """For who diagnoses the network: the session, its line, what the broker refuses."""
        state, live = self._state, self._lasting.live
        if state.connected and live is not None:
            return live.state(state.reason, state.detail)
        return SessionState(connected=False, word=state.reason, detail=state.detail)

    def hurry(self) -> None:
        """End the pause before the next attempt: what stood in the way is mended."""
        self._hurried = True
        self.wake()

    def wake(self) -> None:
        """Have a look at what there is to send."""
        self._waker.wake()

    def stop(self, reason: Literal["stopping", "shutdown"] = "stopping", timeout_s: float = 5.0) -> bool:
        """Say so at the broker, disconnect, end; False if the thread did not end in time."""
        self._stop_reason = reason
        self.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._waker.close()
        return True

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._stop_reason is None:
            session = self._session()
            try:
                sock = self._dial()
                if sock is None:
                    break
                session.run(sock)
                break
            except Troubled as troubled:
                trouble = troubled.trouble
            except Exception as error:
                # Whatever it is, the terminal must not fall silent for it.
                log.exception("the uplink stumbled and starts over")
                trouble = Trouble("internal", repr(error))
            self._ended(session, trouble)
        self._change(Trouble("stopped"), None)

    def _session(self) -> Session:
        return Session(
            self._lasting,
            self._protocols.next(self._clock.wall_s()),
            wait=self._waker.sleep,
            stopping=lambda: self._stop_reason,
            enough=lambda: self._state.protocol == "3.1.1" and self._protocols.due(self._clock.wall_s()),
            welcomed=self._welcomed,
        )

    def _welcomed(self, session: Session) -> None:
        if session.version == "3.1.1" or PROTOCOL_KEY in self._outbox.memory():
            self._outbox.remember({PROTOCOL_KEY: self._protocols.worked(self._clock.wall_s())})
        else:
            self._protocols.worked(self._clock.wall_s())
        self._change(Trouble("connected", f"MQTT {session.version}"), session)

    def _ended(self, session: Session, trouble: Trouble) -> None:
        """Say what happened, learn from it, and stay away for a while."""
        namesake = self._lasting.namesake
        if session.traffic is not None:
            if trouble.word == "lost":
                session.traffic.broken()
            namesake.ended(session.lasted_s())
            self._said.clear()
        elif session.version_in_doubt and self._protocols.failed(explicit=session.version_refused):
            return
        if trouble.word == "taken_over":
            namesake.thrown_out()
        if namesake.known and trouble.word in ("taken_over", "lost"):
            trouble = Trouble("duplicate_identity", trouble.detail)
        self._change(trouble, None)
        if trouble.word != "upgrade":
            self._backoff.ended(session.lasted_s())
            self._pause(self._backoff.delay_s(namesake.pause_s()))

    def _pause(self, seconds: float) -> None:
        ends_s = self._clock.monotonic_s() + seconds
        self._hurried = False
        while self._stop_reason is None and (left_s := ends_s - self._clock.monotonic_s()) > 0:
            self._waker.sleep(None, left_s)
            if self._hurried:
                break

    def _dial(self) -> socket.socket | None:
        """A socket to the broker, TLS done; None when told to stop."""
        if self._dialling is not None and self._dialling.running():
            raise Troubled(self._dialling.abandon())  # a name server still keeps the last one waiting
        mqtt = self._lasting.config.mqtt
        dialling = self._dialling = dial.Dialling(mqtt, self._timing.connect_s, self.wake)
        while (sock := dialling.take()) is None:
            if self._stop_reason is not None:
                dialling.abandon()
                return None
            if dialling.overdue():
                raise Troubled(dialling.abandon())
            self._waker.sleep(None, self._timing.connect_s)
        return sock

    # -- what is told --------------------------------------------------------------------------------

    def _change(self, trouble: Trouble, session: Session | None) -> None:
        """A new state: one log line at each transition, not one for each attempt."""
        self._state = self._describe(trouble, session)
        if session is not None or trouble.word in ("stopped", "upgrade"):
            self._said.clear()
            log.info("%s", self._state.detail)
        elif trouble.word not in self._said:
            self._said.add(trouble.word)
            log.warning("%s", self._state.detail)
        try:
            self._on_change(self._state)
        except Exception:
            log.exception("who should hear of the broker stumbled")

    def _describe(self, trouble: Trouble, session: Session | None) -> UplinkState:
        return UplinkState(
            connected=session is not None,
            reason=trouble.word,
            detail=trouble.line(self._broker),
            since=rfc3339(self._clock.wall_s()),
            broker=self._broker,
            protocol=session.version if session else None,
            session=session.id if session else None,
        )
