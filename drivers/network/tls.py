"""The broker's certificate: is it good, and if not, whose is it and why not?"""

from __future__ import annotations

import select
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from drivers.network import certificate
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

    def own_files(self) -> tuple[OwnFile, ...]:
        """The certificates in them; one that cannot be read is the handshake's to tell."""
        found = []
        for key, path in (("ca_file", self.ca_file), ("cert_file", self.cert_file)):
            try:
                read = certificate.read_pem(path.read_bytes()) if path else []
            except (OSError, ValueError):
                continue
            # A chain is as good as its shortest-lived part.
            if read:
                found.append(OwnFile(key=key, certificate=min(read, key=lambda each: each.ends_s)))
        return tuple(found)


def greet(trust: Trust, address: str, port: int, patience: Patience) -> Handshake | None:
    """One handshake, verified; if that fails, another only to see the certificate. None: no answer."""
    try:
        context = _context(trust)
    except (OSError, ValueError) as error:
        return Handshake(error="files", detail=str(error))
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
    plain = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    plain.setblocking(False)
    plain.connect_ex((address, port))
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
