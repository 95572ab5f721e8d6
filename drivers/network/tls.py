"""The broker's certificate: is it good, and if not, whose is it and why not?"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drivers.network import certificate, tcp
from drivers.network.certificate import Certificate
from drivers.network.findings import Handshake, OwnFile
from drivers.network.patience import Patience

# X509_V_ERR_* of openssl-verification-options(1); any other means that the chain is not trusted.
_WORDS = {10: "expired", 9: "not_yet_valid", 62: "wrong_name", 64: "wrong_name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What [mqtt] says of TLS."""

    host: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def named(self) -> str:
        """The files, since what OpenSSL says of them names none."""
        return ", ".join(str(file) for file in (self.ca_file, self.cert_file, self.key_file) if file)


class OwnFiles:
    """The certificates in the files of [mqtt], read again where a file has changed."""

    def __init__(self, trust: Trust) -> None:
        # Of those that we trust, one that lasts is enough: a bundle has old ones in it, and the system's
        # always has. Our own chain is as good as its shortest-lived part.
        self._files = [
            (key, path, which)
            for key, path, which in (("ca_file", trust.ca_file, max), ("cert_file", trust.cert_file, min))
            if path is not None
        ]
        self._known: dict[str, tuple[object, OwnFile | None]] = {}

    def read(self) -> tuple[OwnFile, ...]:
        """One that cannot be read is the handshake's to tell."""
        found = []
        for key, path, which in self._files:
            try:
                stat = path.stat()
                version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if key not in self._known or self._known[key][0] != version:
                    self._known[key] = (version, _own(key, path, which))
            except OSError:
                continue
            own = self._known[key][1]
            if own is not None:
                found.append(own)
        return tuple(found)


def _own(key: str, path: Path, which: Callable[..., Certificate]) -> OwnFile | None:
    with path.open("rb") as file:
        text = file.read(certificate.MOST_BYTES)
    try:
        read = certificate.read_pem(text)
    except ValueError:
        return None
    return OwnFile(key=key, certificate=which(read, key=lambda each: each.ends_s)) if read else None


def greet(trust: Trust, address: str, port: int, patience: Patience) -> Handshake | None:
    """One handshake, verified; if that fails, another only to see the certificate. None: no answer."""
    try:
        context = _context(trust)
    except (OSError, ValueError) as error:
        return Handshake(
            error="files", detail=f"{trust.named()}: {getattr(error, 'strerror', None) or error}"
        )
    try:
        found = _shake(context, trust.host, address, port, patience)
    except ssl.SSLCertVerificationError as error:
        word, detail = _WORDS.get(error.verify_code, "unknown_ca"), error.verify_message
    except (OSError, ValueError) as error:
        if isinstance(error, TimeoutError):
            return None
        return Handshake(error="failed", detail=getattr(error, "reason", None) or str(error))
    else:
        return Handshake(certificate=_read(found))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        shown = _read(_shake(context, trust.host, address, port, patience))
    except (OSError, ValueError):
        shown = None
    return Handshake(error=word, detail=detail, certificate=shown)


def _context(trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trust.ca_file is not None:
        context.load_verify_locations(trust.ca_file)
    else:
        context.load_default_certs()
    if trust.cert_file is not None:
        context.load_cert_chain(trust.cert_file, trust.key_file, password=_no_password)
    return context


def _shake(context: ssl.SSLContext, host: str, address: str, port: int, patience: Patience) -> bytes | None:
    """The other side's certificate in DER."""
    plain, place = tcp.towards(address, port, socket.SOCK_STREAM)
    plain.connect_ex(place)
    sock: socket.socket = plain
    try:
        _await(plain, select.POLLOUT, patience)
        sock = secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                _await(secured, select.POLLIN, patience)
            except ssl.SSLWantWriteError:
                _await(secured, select.POLLOUT, patience)
            else:
                return secured.getpeercert(binary_form=True)
    finally:
        sock.close()


def _await(sock: socket.socket, events: int, patience: Patience) -> None:
    if not patience.wait({sock.fileno(): events}):
        raise TimeoutError("no answer to TLS in time")


def _read(der: bytes | None) -> Certificate | None:
    try:
        return certificate.read(der) if der else None
    except ValueError:
        return None


def _no_password() -> str:
    # Without this, OpenSSL would ask for the passphrase on the terminal and wait for ever.
    raise ValueError("the key is encrypted, and there is nobody to ask for its passphrase")
