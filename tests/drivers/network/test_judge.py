"""Findings into conditions: one trouble is one condition, whatever follows from it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from drivers.network.findings import (
    Findings,
    Gateway,
    Handshake,
    Interface,
    Names,
    OwnFile,
    Page,
    Quality,
    Reached,
)
from drivers.network.judge import BESIDE, KINDS, WAY, evidence, judge, trouble_of
from tests.drivers.network.found import CONNECTED, DAY_S, NOW_S, away, certificate, found

UNPLUGGED = (Interface(name="eth0", state="no_carrier"),)
SELF_GIVEN = (Interface(name="eth0", state="up", addresses=("169.254.3.4",)),)
TIMEOUT = Reached(address="203.0.113.2", port=8883, error="timeout")
REDIRECT = Page(url="http://broker.example/", portal=True, seen="302, leads to login.example")
NO_PORTAL = Page(url="http://broker.example/", portal=False, seen="200")
LIES = Names(host="broker.example", servers=("192.168.7.1",), addresses=("192.168.7.1",), error="lies")
SILENT = Names(host="broker.example", servers=("192.168.7.1",), error="no_answer")
FAILED = Names(host="broker.example", servers=("192.168.7.1",), error="server_failed")
LOST = away("no_reply")
NOTHING_BEHIND: dict[str, Any] = {
    "gateway": None, "names": None, "reached": None, "line": None, "handshake": None, "session": LOST,
}  # fmt: skip

TROUBLES: dict[str, tuple[str, dict[str, Any]]] = {
    "cable": (
        "network_down",
        {"link": False, "addressed": False, "routed": False, "interfaces": UNPLUGGED, **NOTHING_BEHIND},
    ),
    "cable, the session has not noticed": ("network_down", {"link": False, "interfaces": UNPLUGGED}),
    "no DHCP": (
        "no_address",
        {"addressed": False, "routed": False, "interfaces": SELF_GIVEN, **NOTHING_BEHIND},
    ),
    "no gateway named": ("no_route", {"routed": False, "route": None, **NOTHING_BEHIND}),
    "router dead": (
        "gateway_unreachable",
        {**NOTHING_BEHIND, "gateway": Gateway(address="192.168.7.1", answers=False)},
    ),
    "portal": (
        "captive_portal",
        {"session": LOST, "reached": TIMEOUT, "page": REDIRECT, "line": None, "handshake": None},
    ),
    "portal that lies": (
        "captive_portal",
        {"session": LOST, "names": LIES, "reached": TIMEOUT, "page": REDIRECT, "line": None},
    ),
    "portal with a certificate": (
        "captive_portal",
        {"session": LOST, "handshake": Handshake(error="unknown_ca"), "page": REDIRECT},
    ),
    "line dead": (
        "internet_down",
        {"session": LOST, "names": FAILED, "reached": TIMEOUT, "line": False, "handshake": None},
    ),
    "line dead, name in store": (
        "internet_down",
        {"session": LOST, "reached": TIMEOUT, "line": False, "handshake": None},
    ),
    "name server silent": ("dns_failed", {"session": away("dns"), "names": SILENT, "handshake": None}),
    "name server silent, session well": ("dns_failed", {"names": SILENT, "reached": None}),
    "liar without a page": (
        "dns_failed",
        {"session": LOST, "names": LIES, "reached": TIMEOUT, "line": None, "handshake": None},
    ),
    "port blocked": (
        "broker_unreachable",
        {"session": away("timeout"), "reached": TIMEOUT, "handshake": None, "page": NO_PORTAL},
    ),
    "broker says nothing": ("broker_unreachable", {"session": away("silent")}),
    "expired": (
        "certificate_expired",
        {"session": away("tls_expired"), "handshake": Handshake(error="expired")},
    ),
    "not yet valid": (
        "tls_failed",
        {"session": away("tls_not_yet_valid"), "handshake": Handshake(error="not_yet_valid")},
    ),
    "clock behind": (
        "clock_wrong",
        {
            "session": away("tls_not_yet_valid"),
            "handshake": Handshake(error="not_yet_valid"),
            "clock_synced": False,
        },
    ),
    "clock against the web": (
        "clock_wrong",
        {
            "session": LOST,
            "page": Page(url="u", portal=False, seen="200", ahead_s=-4000.0),
            "clock_synced": False,
        },
    ),
    "wrong name": (
        "tls_failed",
        {"session": away("tls_wrong_name"), "handshake": Handshake(error="wrong_name")},
    ),
    "our certificate refused": ("tls_failed", {"session": away("tls_refused")}),
    "password file": ("login_refused", {"session": away("files")}),
    "file of TLS": ("tls_failed", {"session": away("files"), "handshake": Handshake(error="files")}),
    "password": ("login_refused", {"session": away("credentials")}),
    "banned": ("login_refused", {"session": away("banned")}),
    "topic forbidden": (
        "not_authorised",
        {"session": type(CONNECTED)(connected=True, word="connected", refused=("a/b",))},
    ),
}


def holding(seen: Findings, before: dict[str, bool | None] | None = None) -> list[str]:
    return [kind for kind, value in judge(seen, before or {}).items() if value]


def test_all_is_well() -> None:
    judged = judge(found(), {})
    assert tuple(judged) == KINDS
    assert set(judged.values()) == {False}
    assert trouble_of(judged) is None


@pytest.mark.parametrize(("kind", "changes"), TROUBLES.values(), ids=TROUBLES)
def test_a_trouble_is_one_condition(kind: str, changes: dict[str, Any]) -> None:
    seen = found(**changes)
    assert holding(seen) == [kind]
    judged = judge(seen, {})
    assert trouble_of(judged) == kind
    before = list(WAY)[: list(WAY).index(kind)]
    assert all(judged[earlier] is not True for earlier in before)
    assert [*evidence(seen, judged)] == [kind]
    assert evidence(seen, judged)[kind]


def test_what_lies_behind_a_trouble_is_unknown_unless_proven_well() -> None:
    seen = found(session=away("credentials"), link=False, handshake=Handshake(error="expired"))
    judged = judge(seen, {})
    assert judged["certificate_expired"] is None
    assert judged["login_refused"] is None
    assert judged["dns_failed"] is False


def test_nothing_looked_at_is_nothing_known() -> None:
    assert set(judge(Findings(wall_s=NOW_S), {}).values()) == {None}


def test_a_session_that_stands_proves_the_way() -> None:
    judged = judge(Findings(wall_s=NOW_S, session=CONNECTED, line=True), {})
    unknown = {kind for kind, value in judged.items() if value is None}
    assert unknown == {"network_down", "no_address", "no_route", "dns_failed", "certificate_expiring"}
    assert not any(judged.values())


def test_an_old_word_of_the_session_is_overtaken_by_a_look() -> None:
    for word in ("dns", "timeout", "unreachable", "absent", "tls_expired", "lost", "connecting"):
        assert holding(found(session=away(word))) == []


@pytest.mark.parametrize(("ends_d", "expected"), [(31, False), (29, True), (-1, None)])
def test_the_certificate_that_ends_first_counts(ends_d: float, expected: bool | None) -> None:
    shown = certificate(begins_s=-300 * DAY_S, ends_s=ends_d * DAY_S, subject="CN=till")
    ours = OwnFile(key="cert_file", certificate=shown)
    seen = found(own_files=(ours,))
    judged = judge(seen, {})
    assert judged["certificate_expiring"] is expected
    assert judged["certificate_expired"] is (ends_d < 0)
    if ends_d < 30:
        (told,) = evidence(seen, judged).values()
        assert (told["certificate"], told["subject"]) == ("cert_file", "CN=till")
        assert str(told["ends"]).endswith("Z")


def test_a_clock_that_follows_a_time_server_is_righter_than_a_web_page() -> None:
    page = Page(url="u", portal=False, seen="200", ahead_s=4000.0)
    assert holding(found(page=page, clock_synced=True)) == []
    assert holding(found(page=page, clock_synced=None)) == ["clock_wrong"]


def test_what_is_over_stands_in_nobodys_light() -> None:
    """A portal that is gone while the broker is down, a clock that was set while nothing can be reached."""
    seen = found(session=LOST, reached=TIMEOUT, page=None, handshake=None, clock_synced=True)
    judged = judge(seen, {})
    assert judged["captive_portal"] is False
    assert judged["clock_wrong"] is False
    assert trouble_of(judged) == "broker_unreachable"
    assert judge(dataclasses.replace(seen, reached=None), {})["captive_portal"] is None


def test_one_that_is_renewed_often_does_not_hide_one_to_renew() -> None:
    weekly = certificate(begins_s=-3 * DAY_S, ends_s=4 * DAY_S)
    ours = OwnFile(key="cert_file", certificate=certificate(begins_s=-345 * DAY_S, ends_s=20 * DAY_S))
    seen = found(handshake=Handshake(certificate=weekly), own_files=(ours,))
    assert holding(seen) == ["certificate_expiring"]
    assert evidence(seen, judge(seen, {}))["certificate_expiring"]["certificate"] == "cert_file"


def test_our_own_files_tell_a_clock_that_was_set_back() -> None:
    ours = OwnFile(key="ca_file", certificate=certificate(begins_s=10 * DAY_S, ends_s=400 * DAY_S))
    assert holding(found(own_files=(ours,), clock_synced=False)) == ["clock_wrong"]
    assert holding(found(own_files=(ours,), clock_synced=True)) == []


@pytest.mark.parametrize(
    ("kind", "number", "bad", "between", "good"),
    [("network_slow", "rtt_ms", 1001.0, 900.0, 799.0), ("network_lossy", "lost_pct", 12.5, 7.0, 4.9)],
)
def test_slow_and_lossy_do_not_flap(kind: str, number: str, bad: float, between: float, good: float) -> None:
    def value(level: float, before: bool | None) -> bool | None:
        changes: dict[str, Any] = {number: level}
        return judge(found(quality=dataclasses.replace(Quality(), **changes)), {kind: before})[kind]

    assert value(bad, False) is True
    assert value(between, True) is True
    assert value(between, False) is False
    assert value(good, True) is False


def test_beside_a_trouble_nothing_is_said_of_how_well_the_way_is() -> None:
    judged = judge(found(session=LOST, reached=TIMEOUT, quality=Quality(rtt_ms=3000.0, lost_pct=50.0)), {})
    assert [judged[kind] for kind in BESIDE] == [False, None, None]
