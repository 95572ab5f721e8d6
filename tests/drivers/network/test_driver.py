"""When the network is looked at, and what is told of it; the looks themselves are given."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.api import Deadline, Link, Occasion, Power, Setup, SystemClock
from drivers.network import gateway
from drivers.network.driver import NetworkDriver, make
from drivers.network.findings import Findings, Gateway, Handshake, Quality, Reached
from drivers.network.judge import KINDS
from drivers.network.patience import Patience
from drivers.network.session import SessionState, SessionView
from tests.drivers.network.found import CONNECTED, away, found

NO_LINK: Any = None
TYPED: Link = NO_LINK
OCCASION = Occasion("T-1", "2026-11-22 08:00")
DEAD = found(session=away("timeout"), gateway=Gateway(address="192.168.7.1", answers=False))


class Session:
    """Says what it is told to."""

    def __init__(self, state: SessionState = CONNECTED) -> None:
        self.now = state
        self.hurried = 0

    def state(self) -> SessionState:
        return self.now

    def hurry(self) -> None:
        self.hurried += 1


class Looks:
    """Gives the findings it is told to, and counts."""

    def __init__(self, findings: Findings, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.findings = findings
        self.count = 0
        self.meanwhile = meanwhile

    def look(self, view: SessionView, patience: Patience, *, thorough: bool = False) -> Findings:
        self.count += 1
        self.meanwhile()
        return dataclasses.replace(self.findings, session=view.state())


def setup(poll_s: float = 0.02, **options: Any) -> Setup:
    return Setup(device="network", link=TYPED, clock=SystemClock(), memory={}, poll_s=poll_s, options=options)


def driver(looks: Looks, session: Session, poll_s: float = 0.02) -> NetworkDriver:
    return NetworkDriver(setup(poll_s), looks, session)


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


def test_a_poll_tells_every_condition() -> None:
    looked = driver(Looks(found()), Session()).poll(soon())
    assert looked.power is Power.ONLINE
    assert tuple(looked.conditions) == KINDS
    assert {condition.value for condition in looked.conditions.values()} == {False}
    assert looked.facts == {
        "interface": "eth0",
        "address": "192.168.7.10",
        "gateway": "192.168.7.1",
        "broker": "203.0.113.2",
        "certificate_ends": "2027-04-25",
    }
    assert looked.statistics == {"rtt_ms": 20.0, "lost_pct": 0.0, "gateway_ms": 0.4}


def test_while_all_is_well_nobody_looks_between_polls() -> None:
    looks = Looks(found())
    watched = driver(looks, Session())
    watched.poll(soon())
    assert watched.listen(soon(0.1)) is None
    assert looks.count == 1


@pytest.mark.parametrize(
    "news",
    [away("lost"), dataclasses.replace(CONNECTED, refused=("a/b",))],
    ids=["session lost", "topic refused"],
)
def test_news_of_the_session_is_looked_into_at_once(news: SessionState) -> None:
    session = Session()
    watched = driver(Looks(found()), session)
    watched.poll(soon())
    session.now = news
    assert watched.listen(soon()) is not None


def test_a_line_that_does_not_answer_is_looked_into() -> None:
    session = Session()
    watched = driver(Looks(found()), session)
    watched.poll(soon())
    assert CONNECTED.line
    session.now = dataclasses.replace(CONNECTED, line=dataclasses.replace(CONNECTED.line, unanswered=2))
    assert watched.listen(soon()) is not None


def test_trouble_is_looked_at_again_and_its_end_hurries_the_session() -> None:
    session = Session(away("timeout"))
    looks = Looks(DEAD)
    watched = driver(looks, session)
    told = watched.poll(soon())
    assert told.conditions["gateway_unreachable"].value
    assert told.evidence == {"gateway_unreachable": {"gateway": "192.168.7.1", "interface": "eth0"}}
    again = watched.listen(soon())
    assert again is not None
    assert session.hurried == 0
    looks.findings = found()
    mended = watched.listen(soon())
    assert mended is not None
    assert not mended.conditions["gateway_unreachable"].value
    assert session.hurried == 1
    watched.listen(soon())
    assert session.hurried == 1


def test_a_broker_that_is_back_is_not_run_over() -> None:
    session = Session(away("timeout"))
    looks = Looks(found(reached=Reached(address="203.0.113.2", port=8883, error="timeout")))
    watched = driver(looks, session)
    assert watched.poll(soon()).conditions["broker_unreachable"].value
    looks.findings = found()
    mended = watched.listen(soon())
    assert mended is not None
    assert not mended.conditions["broker_unreachable"].value
    assert session.hurried == 0


def test_what_is_unknown_keeps_when_it_was_known() -> None:
    looks = Looks(found())
    watched = driver(looks, Session())
    known = watched.poll(soon()).conditions["dns_failed"]
    looks.findings = found(names=None)
    unknown = watched.poll(soon()).conditions["dns_failed"]
    assert (known.value, unknown.value) == (False, None)
    assert unknown.wall_s == known.wall_s


def test_it_wakes_at_once() -> None:
    watched = driver(Looks(found()), Session(), poll_s=15)
    watched.poll(soon())
    threading.Timer(0.02, watched.wake).start()
    deadline = soon(30)
    assert watched.listen(deadline) is None
    assert deadline.remaining_s() > 25
    watched.close()


def test_half_a_look_says_nothing() -> None:
    session = Session()
    looks = Looks(found())
    watched = driver(looks, session)
    first = watched.poll(soon())
    looks.findings, looks.meanwhile = DEAD, watched.wake
    assert watched.poll(soon()) is first


def test_patience_ends_when_somebody_wants_to() -> None:
    ended = threading.Event()
    threading.Timer(0.02, ended.set).start()
    deadline = soon(30)
    assert Patience(deadline, ended.is_set).wait({}) == set()
    assert deadline.remaining_s() > 25


def test_its_selftest_goes_along_the_way() -> None:
    steps = list(driver(Looks(found()), Session()).selftest("internal", OCCASION, soon()))
    assert [step.name for step in steps] == [
        *("link", "address", "gateway", "dns", "portal", "broker", "tls", "clock"),
        *("login", "rights", "latency", "loss"),
    ]  # fmt: skip
    assert {step.verdict for step in steps} == {"passed"}
    assert all(step.detail for step in steps)


def test_behind_a_trouble_a_selftest_is_untested() -> None:
    blocked = found(reached=Reached(address="203.0.113.2", port=8883, error="timeout"), handshake=None)
    steps = list(driver(Looks(blocked), Session(away("timeout"))).selftest("internal", OCCASION, soon()))
    verdicts = {step.name: step.verdict for step in steps}
    assert verdicts["dns"] == "passed"
    assert verdicts["broker"] == "failed"
    assert verdicts["tls"] == "untested"
    assert verdicts["login"] == "untested"
    (broker,) = [step.detail for step in steps if step.name == "broker"]
    assert broker == "203.0.113.2, port 8883: does not answer; is the port blocked?"


def told(findings: Findings, state: SessionState) -> dict[str, tuple[str, str]]:
    steps = driver(Looks(findings), Session(state)).selftest("internal", OCCASION, soon())
    return {step.name: (step.verdict, step.detail) for step in steps}


def test_what_the_way_does_not_have_is_no_step() -> None:
    seen = told(found(names=None, handshake=None), CONNECTED)
    assert "dns" not in seen
    assert "tls" not in seen
    assert {verdict for verdict, _ in seen.values()} == {"passed"}
    # With TLS and behind a dead router there are such steps, and nothing is known of them.
    dead = told(found(names=None, reached=None, handshake=None), away("timeout"))
    assert dead["dns"] == ("untested", "not asked")
    assert dead["tls"] == dead["login"] == dead["rights"] == ("untested", "not reached")
    assert dead["broker"][1] == "not reached"


@pytest.mark.parametrize(
    ("quality", "loss"),
    [
        (Quality(), ("untested", "not measured")),
        (Quality(rtt_ms=20.0, probes=8), ("passed", "0 of 8 probes lost")),
        (Quality(rtt_ms=20.0, probes=8, lost=2), ("untested", "2 of 8 probes lost; too few to judge by")),
        (Quality(rtt_ms=20.0, probes=16, lost=4, lost_pct=25.0), ("failed", "4 of 16 probes lost")),
    ],
)
def test_what_was_not_measured_has_not_passed(quality: Quality, loss: tuple[str, str]) -> None:
    seen = told(found(quality=quality), CONNECTED)
    assert seen["loss"] == loss
    assert seen["latency"][0] == ("untested" if quality.rtt_ms is None else "passed")


@pytest.mark.parametrize(
    ("word", "step"),
    [("closed", "broker"), ("tls_refused", "tls"), ("not_authorised", "login")],
)
def test_why_the_broker_does_not_serve_us_is_a_sentence(word: str, step: str) -> None:
    sentence = "broker 203.0.113.2:8883: a sentence; and what to do"
    seen = told(found(handshake=None), away(word, sentence))
    assert seen[step][1].endswith(sentence)
    assert all(word not in detail for _, detail in seen.values())


def test_a_simulated_broker_has_no_address_to_name() -> None:
    seen = told(found(reached=Reached(address="", port=0, error="refused")), away("absent", "broker b: why"))
    assert seen["broker"] == ("failed", "broker b: why")


def test_an_expired_certificate_is_described() -> None:
    expired = found(handshake=Handshake(error="expired", certificate=CERTIFICATE))
    steps = list(driver(Looks(expired), Session(away("tls_expired"))).selftest("internal", OCCASION, soon()))
    (tls,) = [step for step in steps if step.name == "tls"]
    assert tls.verdict == "failed"
    assert tls.detail == "expired (CN=broker); broker ends first, on 2027-04-25"


CERTIFICATE = found().handshake.certificate  # type: ignore[union-attr]  # it has one


# -- a simulated machine --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("connecting", None),
        ("lost", None),
        ("dns", "dns_failed"),
        ("timeout", "broker_unreachable"),
        ("absent", "broker_unreachable"),
        ("silent", None),
        ("tls_expired", "certificate_expired"),
        ("tls_unknown_ca", "tls_failed"),
        ("tls_refused", "tls_failed"),
        ("credentials", "login_refused"),
    ],
)
def test_a_simulated_machine_has_the_words_of_its_session(
    tmp_path: Path, word: str, kind: str | None
) -> None:
    vitals = tmp_path / "host.json"
    vitals.write_text(json.dumps({"network_up": True, "clock_synced": True}))
    session = Session(away(word))
    told = make(setup(vitals=f"file:{vitals}"), session).poll(soon())
    assert [k for k, condition in told.conditions.items() if condition.value] == [kind] * (kind is not None)
    vitals.write_text(json.dumps({"network_up": False}))
    told = make(setup(vitals=f"file:{vitals}"), session).poll(soon())
    assert [k for k, condition in told.conditions.items() if condition.value] == ["network_down"]
    assert told.facts == {}


def test_a_simulated_machine_that_says_nothing_is_not_known(tmp_path: Path) -> None:
    told = make(setup(vitals=f"file:{tmp_path / 'none.json'}"), Session(away("lost"))).poll(soon())
    assert {condition.value for condition in told.conditions.values()} == {None}


# -- what a router answers to ---------------------------------------------------------------------


def test_what_a_router_answers_to_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answers = {"icmp": None, "udp": 0.3, "tcp": 5.0}

    def way(name: str) -> Callable[[str, Patience], float | None]:
        def ask(_address: str, _patience: Patience) -> float | None:
            asked.append(name)
            return answers[name]

        return ask

    monkeypatch.setattr(gateway, "WAYS", {name: way(name) for name in answers})
    memory: dict[str, Any] = {}
    said = gateway.ask("192.168.7.1", memory, Patience(soon()))
    assert (said.answers, said.by, said.ms) == (True, "udp", 0.3)
    assert asked == ["icmp", "udp"]
    answers["udp"] = None
    assert gateway.ask("192.168.7.1", memory, Patience(soon())).by == "tcp"
    assert asked == ["icmp", "udp", "udp", "icmp", "tcp"]
    answers["tcp"] = None
    assert gateway.ask("192.168.7.1", memory, Patience(soon())).answers is False
    assert gateway.ask("192.168.7.3", memory, Patience(soon())).answers is None
