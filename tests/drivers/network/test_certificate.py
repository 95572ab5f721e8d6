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

from drivers.network import certificate
from tests.certificates import DAY, Authority


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
