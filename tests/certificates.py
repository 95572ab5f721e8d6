"""Certificates for a test: a CA, and what it signs."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


class Authority:
    """A CA in a folder: `ca_file`, and `sign` for servers and clients."""

    def __init__(self, folder: Path, name: str = "ca", ends: timedelta = 30 * DAY) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = _write(folder / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def sign(
        self,
        name: str,
        *,
        expired: bool = False,
        address: str = "127.0.0.1",
        host: str = "",
        begins: timedelta = -10 * DAY,
        ends: timedelta = 10 * DAY,
    ) -> tuple[Path, Path]:
        """Files of a new certificate and its key; `begins` and `ends` count from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now - DAY if expired else now + ends)
            .add_extension(
                x509.SubjectAlternativeName(
                    [x509.DNSName(host)] if host else [x509.IPAddress(ipaddress.ip_address(address))]
                ),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return (
            _write(self._folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            _write(
                self._folder / f"{name}.key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            ),
        )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o644)  # a broker started by root reads it as its own user
    return path
