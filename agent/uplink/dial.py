"""The way to the broker: name lookup, TCP, TLS, within a deadline; certificates are read at each attempt."""

from __future__ import annotations

import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable

from agent.config import Mqtt
from agent.uplink.reasons import Trouble, Troubled

VERDICT_S = 0.3
KEEP_ALIVE_S = 31  #: of silence at least, then 52 bytes ask and 52 answer
KEEP_ALIVE_AGAIN_S = 3
KEEP_ALIVE_MOST = 60
KEEP_ALIVE_LIMIT_S = 32767  #: tcp(7) takes no more
X509_EXPIRED = 10
X509_NOT_YET_VALID = 9
X509_HOSTNAME_MISMATCH = 62
X509_IP_MISMATCH = 64
_BY_VERIFY_CODE = {
    X509_EXPIRED: "tls_expired",
    X509_NOT_YET_VALID: "tls_not_yet_valid",
    X509_HOSTNAME_MISMATCH: "tls_wrong_name",
    X509_IP_MISMATCH: "tls_wrong_name",
}
"""X509_V_ERR_* of openssl-verification-options(1); all other codes mean that the chain is not trusted."""

log = logging.getLogger("tillwatch.uplink")


class Dialling:
    """One attempt, in a thread of its own: a name lookup knows no deadline.

    `done` is called from that thread. `take` gives the socket (non-blocking is up to the caller) or raises
    `Troubled`; None while it runs. An abandoned attempt closes what it may still get.
    """

    def __init__(self, mqtt: Mqtt, timeout_s: float, done: Callable[[], None]) -> None:
        self._mqtt = mqtt
        self._ends_s = time.monotonic() + timeout_s
        self._done = done
        self._lock = threading.Lock()
        self._stage = "dns"
        self._abandoned = False
        self._outcome: socket.socket | Trouble | None = None
        self._thread = threading.Thread(target=self._run, name="dial", daemon=True)
        self._thread.start()

    def take(self) -> socket.socket | None:
        with self._lock:
            if isinstance(self._outcome, Trouble):
                raise Troubled(self._outcome)
            return self._outcome

    def overdue(self) -> bool:
        return time.monotonic() >= self._ends_s

    def running(self) -> bool:
        return self._thread.is_alive()

    def abandon(self) -> Trouble:
        """Give up waiting; what it waited for."""
        with self._lock:
            self._abandoned = True
            if isinstance(self._outcome, socket.socket):
                self._outcome.close()
            word = "dns" if self._stage == "dns" else "timeout"
            return Trouble(word, f"no answer to {self._stage} in time")

    def _run(self) -> None:
        try:
            outcome: socket.socket | Trouble = self._connect()
        except Troubled as troubled:
            outcome = troubled.trouble
        except Exception as error:  # whoever waits is told at once, not left to the deadline
            log.exception("the way to the broker stumbled")
            outcome = Trouble("internal", repr(error))
        with self._lock:
            if self._abandoned and isinstance(outcome, socket.socket):
                outcome.close()
            self._outcome = outcome
        self._done()

    def _connect(self) -> socket.socket:
        context = tls_context(self._mqtt) if self._mqtt.tls else None
        sock = self._connect_tcp()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(sock, self._mqtt.keepalive_s)
        return sock if context is None else self._secure(context, sock)

    def _secure(self, context: ssl.SSLContext, plain: socket.socket) -> ssl.SSLSocket:
        self._stage = "tls"
        sock = plain
        try:
            plain.settimeout(self._left_s())
            sock = secured = context.wrap_socket(plain, server_hostname=self._mqtt.host)
            _hear_verdict(secured, min(VERDICT_S, self._left_s()))
        except (OSError, ValueError) as error:
            sock.close()
            raise Troubled(tls_trouble(error)) from error
        except Troubled:
            sock.close()
            raise
        return secured

    def _connect_tcp(self) -> socket.socket:
        try:
            addresses = socket.getaddrinfo(self._mqtt.host, self._mqtt.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Troubled(Trouble("dns", f"{self._mqtt.host}: {error}")) from error
        self._stage = "tcp"
        failure: OSError | None = None
        for tried, (family, kind, number, _name, address) in enumerate(addresses):
            try:  # a kernel without IPv6 refuses the very socket
                sock = socket.socket(family, kind, number)
            except OSError as error:
                failure = error
                continue
            try:
                # Its share of what is left: one address that swallows all leaves time for the others.
                sock.settimeout(self._left_s() / (len(addresses) - tried))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise Troubled(_tcp_trouble(failure)) from failure

    def _left_s(self) -> float:
        return max(0.01, self._ends_s - time.monotonic())


def tls_context(mqtt: Mqtt) -> ssl.SSLContext:
    """TLS 1.2 or later, the configured CA alone where one is configured, our certificate if we have one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if mqtt.ca_file is not None:
            context.load_verify_locations(mqtt.ca_file)
        else:
            context.load_default_certs()
        if mqtt.cert_file is not None:
            context.load_cert_chain(mqtt.cert_file, mqtt.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        files = ", ".join(str(f) for f in (mqtt.ca_file, mqtt.cert_file, mqtt.key_file) if f is not None)
        raise Troubled(Trouble("files", f"{files}: {error}")) from error
    return context


def password(mqtt: Mqtt) -> str | None:
    """The password as its file has it now, without the line's end."""
    if mqtt.password_file is None:
        return None
    try:
        return mqtt.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "is no UTF-8"
        raise Troubled(Trouble("files", f"{mqtt.password_file}: {why}")) from error


def tls_trouble(error: Exception) -> Trouble:
    """A handshake that failed, in one word."""
    if isinstance(error, ssl.SSLCertVerificationError):
        word = _BY_VERIFY_CODE.get(error.verify_code, "tls_unknown_ca")
        return Trouble(word, error.verify_message)
    if isinstance(error, TimeoutError):
        return Trouble("timeout", "no answer to tls in time")
    return alert_trouble(str(error)) or Trouble("tls_failed", str(error))


def alert_trouble(text: str) -> Trouble | None:
    """The broker's word against our certificate; with TLS 1.3 it comes only after the handshake."""
    # OpenSSL names the alerts of RFC 8446 section 6.2, as in TLSV1_ALERT_UNKNOWN_CA.
    upper = text.upper().replace(" ", "_")
    for alert in (
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_REQUIRED",
        "CERTIFICATE_REVOKED",
        "CERTIFICATE_UNKNOWN",
        "BAD_CERTIFICATE",
        "UNKNOWN_CA",
        "ACCESS_DENIED",
    ):
        if "ALERT" in upper and alert in upper:
            return Trouble("tls_refused", alert.lower().replace("_", " "))
    return None


def _keep_alive(sock: socket.socket, keepalive_s: int) -> None:
    """Have the kernel ask for a sign of life once between two pings: a dead way shows in half the time.

    It never ends the session for it: whether the broker lives is judged by what is heard from it.
    """
    # Who has longer keepalives has them for the bytes.
    idle_s = min(KEEP_ALIVE_LIMIT_S, max(KEEP_ALIVE_S, keepalive_s // 2 + 1))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_AGAIN_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_MOST)


def _tcp_trouble(error: OSError | None) -> Trouble:
    if isinstance(error, ConnectionRefusedError):
        return Trouble("absent", "connection refused")
    if isinstance(error, TimeoutError):
        return Trouble("timeout", "no answer to tcp in time")
    return Trouble("unreachable", str(error))


def _no_password() -> str:
    # Without this, OpenSSL would ask for the passphrase on the terminal and wait for ever.
    raise ValueError("the key is encrypted, and there is nobody to ask for its passphrase")


def _hear_verdict(sock: ssl.SSLSocket, seconds: float) -> None:
    """Give the broker a moment to refuse our certificate.

    With TLS 1.3 its alert comes after our side of the handshake (RFC 8446 section 4.4.2.4); had we sent
    CONNECT by then, the reset that answers it could wipe the alert out. A broker that is content usually
    sends session tickets at once, so nobody waits long.
    """
    sock.setblocking(False)
    select.select([sock], [], [], seconds)
    try:
        said = sock.recv(1)
    except ssl.SSLWantReadError:
        return
    raise Troubled(Trouble("broken_peer", "it speaks first") if said else Trouble("closed", "after TLS"))
