"""One session for a self-test where no daemon runs: are we let in, and allowed? It leaves nothing behind."""

from __future__ import annotations

import select
import socket
import threading
import time

from agent.config import Config
from agent.uplink import dial
from agent.uplink.client import Accepted, Connection, Ended, Login, Refused, Subscribed
from agent.uplink.reasons import CONNACK_WORDS, Trouble, Troubled
from agent.uplink.retry import Version
from agent.uplink.topics import STATUS, Topics
from agent.uplink.view import LiveSession
from drivers.network.session import SessionState

LIMIT_S = 15.0
TURN_S = 0.2
REFUSED = 0x80
COMMAND = "command"


class OneAttempt:
    """`drivers.network.session.SessionView` that tries when it is first asked."""

    def __init__(self, config: Config, limit_s: float = LIMIT_S) -> None:
        self._config = config
        self._limit_s = limit_s
        self._state: SessionState | None = None

    def state(self) -> SessionState:
        if self._state is None:
            self._state = self._try()
        return self._state

    def hurry(self) -> None:
        """Nobody waits."""

    def _try(self) -> SessionState:
        ends_s = time.monotonic() + self._limit_s
        broker = f"{self._config.mqtt.host}:{self._config.mqtt.port}"
        versions: tuple[Version, ...] = ("5", "3.1.1")
        trouble = Trouble("silent")
        for version in versions:
            try:
                return self._session(version, ends_s)
            except Troubled as troubled:
                trouble = troubled.trouble
            if trouble.word not in ("protocol", "closed", "silent"):
                break
        return SessionState(connected=False, word=trouble.word, detail=trouble.line(broker))

    def _session(self, version: Version, ends_s: float) -> SessionState:
        sock = self._dial(ends_s)
        try:
            connection = Connection(sock, self._login(version))
        except BaseException:
            sock.close()
            raise
        try:
            return self._talk(connection, sock, version, ends_s)
        finally:
            connection.close()

    def _dial(self, ends_s: float) -> socket.socket:
        done = threading.Event()
        dialling = dial.Dialling(self._config.mqtt, max(0.1, ends_s - time.monotonic()), done.set)
        while (sock := dialling.take()) is None:
            if dialling.overdue():
                raise Troubled(dialling.abandon())
            done.wait(TURN_S)
        sock.setblocking(False)
        return sock

    def _login(self, version: Version) -> Login:
        mqtt = self._config.mqtt
        return Login(
            client_id=f"tillwatch-{self._config.terminal.id}-selftest",
            version=version,
            keepalive_s=mqtt.keepalive_s,
            username=mqtt.username,
            password=dial.password(mqtt),
            clean=True,
        )

    def _talk(
        self, connection: Connection, sock: socket.socket, version: Version, ends_s: float
    ) -> SessionState:
        topics = Topics(self._config.mqtt.base, self._config.terminal.id)
        wanted = [topics.full(STATUS), topics.full(COMMAND)]
        refused: set[str] = set()
        while time.monotonic() < ends_s:
            for note in connection.take():
                match note:
                    case Accepted():
                        connection.subscribe(wanted)
                    case Refused(code, text):
                        raise Troubled(Trouble(CONNACK_WORDS.get(code, "refused"), f"{text}, 0x{code:02x}"))
                    case Ended(_, text):
                        raise Troubled(dial.alert_trouble(text) or Trouble("closed", text))
                    case Subscribed(codes):
                        refused.update(t for t, code in zip(wanted, codes, strict=False) if code >= REFUSED)
                        state = LiveSession.of(sock, refused).state("connected", f"MQTT {version}")
                        connection.disconnect()
                        return state
            writing = [sock] if connection.want_write() else []
            readable, writable, _ = select.select([sock], writing, [], TURN_S)
            connection.turn(readable=bool(readable), writable=bool(writable))
        raise Troubled(Trouble("silent"))
