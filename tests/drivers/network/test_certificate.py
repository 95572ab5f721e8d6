"""Certificates, read by us and by a library that reads all of them."""

from __future__ import annotations

import ssl
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Deadline, SystemClock
from drivers.network import certificate
from drivers.network.patience import Patience
from drivers.network.tls import OwnFiles, Trust, greet
from tests.certificates import DAY, Authority

NOBODY_WAITS = Patience(Deadline.after(SystemClock(), 1.0))


def test_who_it_is_for_and_when_it_ends(tmp_path: Path) -> None:
    authority = Authority(tmp_path, ends=timedelta(days=12_000))
    made, _ = authority.sign("broker", host="broker.example", ends=70 * DAY)
    (read,) = certificate.read_pem(made.read_bytes())
    expected = x509.load_pem_x509_certificate(made.read_bytes())
    assert read.subject == "CN=broker"
    assert read.issuer == "CN=ca"
    assert read.names == ("broker.example",)
    assert read.begins_s == expected.not_valid_before_utc.timestamp()
    assert read.ends_s == expected.not_valid_after_utc.timestamp()
    (ca,) = certificate.read_pem(authority.ca_file.read_bytes())  # ends after 2050: GeneralizedTime
    ends = x509.load_pem_x509_certificate(authority.ca_file.read_bytes()).not_valid_after_utc
    assert ca.ends_s == ends.timestamp()


def test_addresses_and_chains(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    made, _ = authority.sign("here", address="203.0.113.2")
    text = b"some words\n" + made.read_bytes() + authority.ca_file.read_bytes()
    first, second = certificate.read_pem(text)
    assert first.names == ("203.0.113.2",)
    assert second.subject == "CN=ca"


def test_what_the_world_trusts_can_be_read() -> None:
    context = ssl.create_default_context()
    for der in context.get_ca_certs(binary_form=True):
        read = certificate.read(der)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some authorities' numbers are no longer allowed
            expected = x509.load_der_x509_certificate(der)
        assert read.ends_s == expected.not_valid_after_utc.timestamp()
        assert read.begins_s == expected.not_valid_before_utc.timestamp()
        assert read.subject


def test_of_a_bundle_that_we_trust_the_last_to_end_counts(tmp_path: Path) -> None:
    """Debian's own has roots that ended years ago; our own chain is as good as its shortest-lived part."""
    authority = Authority(tmp_path, ends=300 * DAY)
    old, _ = authority.sign("old", expired=True)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(old.read_bytes() + authority.ca_file.read_bytes())
    ca, own = OwnFiles(Trust(host="b", ca_file=bundle, cert_file=bundle)).read()
    assert (ca.key, ca.certificate.subject) == ("ca_file", "CN=ca")
    assert (own.key, own.certificate.subject) == ("cert_file", "CN=old")


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = Authority(tmp_path).sign("here", ends=70 * DAY)
    count = 0
    real = certificate.read_pem

    def counting(text: bytes) -> list[certificate.Certificate]:
        nonlocal count
        count += 1
        return real(text)

    monkeypatch.setattr(certificate, "read_pem", counting)
    files = OwnFiles(Trust(host="b", ca_file=tmp_path / "none.pem", cert_file=made))
    assert files.read() == files.read()
    assert count == 1
    made.write_text("no certificate any more")
    assert files.read() == files.read() == ()
    assert count == 2


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    said = greet(Trust(host="b", ca_file=tmp_path / "none.pem"), "127.0.0.1", 9, NOBODY_WAITS)
    assert said is not None
    assert (said.error, said.detail) == ("files", f"{tmp_path}/none.pem: No such file or directory")


@pytest.mark.parametrize(
    ("life_d", "left_d", "soon"),
    [(365, 29, True), (365, 31, False), (90, 29, False), (90, 17, True), (1, 0.3, False), (1, 0.1, True)],
)
def test_one_that_lives_short_ends_soon_later(life_d: float, left_d: float, soon: bool) -> None:
    day_s = 86_400.0
    shown = certificate.Certificate(subject="", issuer="", begins_s=0, ends_s=life_d * day_s)
    assert shown.ends_soon((life_d - left_d) * day_s) is soon


@given(st.binary(max_size=200))
def test_nonsense_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, it is no certificate
        certificate.read(data)


def test_cut_off_anywhere_is_a_value_error(tmp_path: Path) -> None:
    made, _ = Authority(tmp_path).sign("broker")
    der = ssl.PEM_cert_to_DER_cert(made.read_text())
    for length in range(len(der)):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            certificate.read(der[:length])
