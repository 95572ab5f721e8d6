"""What in docs/ is generated is current, and is what it claims to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from agent import messages
from agent.config import file
from agent.diagnosis.catalogue import CATALOGUE
from agent.diagnosis.faults import Diagnosis
from agent.diagnosis.health import summarise
from agent.messages import (
    AgentEvent,
    Body,
    DeviceReport,
    Dropped,
    FaultEvent,
    Metric,
    PublishedCondition,
    SelftestEvent,
    SelftestStep,
    Stamper,
    Status,
    encode,
    rfc3339,
)
from drivers import registry
from drivers.api import Power
from drivers.passive import look
from tests.clock import TurnedClock
from tests.every_device import NO_DEVICE, PLACES, Place
from tests.tools import docs
from tests.tools.schema import published, schema_of
from tests.validate import validate

CLOCK = TurnedClock()
STAMPER = Stamper(site="shop-17", boot="a-boot", clock=CLOCK, up_s=lambda: 12.5, synced=lambda: True)
NOW = rfc3339(CLOCK.wall_s())


def _fault() -> FaultEvent:
    diagnosis = Diagnosis(CATALOGUE, CLOCK)
    diagnosis.observe("receipt", {"unplugged": True}, {"unplugged": {"node": "/dev/ttyS0"}})
    (change,) = diagnosis.advance()
    return change.event


SELFTEST = SelftestEvent(
    device="receipt",
    level="external",
    result="passed",
    steps=[SelftestStep(name="slip", verdict="passed", detail="printed")],
    by="technician",
)
DEVICE = DeviceReport(
    device="receipt",
    driver="escpos",
    categories=["POSPrinter", "CashDrawer"],
    identity={"model": "TM-T88V"},
    power=Power.ONLINE,
    conditions={"paper_end": PublishedCondition(value=None, at=None, verified_by="transport")},
    facts={"pin3": "high"},
    statistics={"PaperCutCount": 17},
    last_seen_at=NOW,
)
STATUS = Status(state="online", reason="started", session="s", connected_at=NOW, challenge="c")
EXAMPLES: dict[str, tuple[str, Body]] = {
    "status": ("status", STATUS),
    "health": ("health", summarise({"receipt": None}, [_fault()], refresh_s=900)),
    "device": ("device/receipt", DEVICE),
    "event-fault": ("event", _fault()),
    "event-selftest": ("event", SELFTEST),
    "event-agent-dropped": ("event", Dropped(from_seq=3, to_seq=5, count=3)),
    "event-agent": ("event", AgentEvent(agent="dead_letter", detail="refused", seq_of=3)),
    "metric": ("metric", Metric(values={"host": {"cpu_pct": 3.5}})),
}


def _message(topic: str, body: Body) -> dict[str, Any]:
    """A message as a subscriber gets it."""
    stored = topic == "event"
    message = STAMPER.stamp(body, as_of=None if stored else 0)
    if stored:
        message |= {"stream": "a-stream", "seq": 1, "replayed": True}
    parsed: dict[str, Any] = json.loads(encode(message))
    return parsed


def test_what_is_generated_is_current() -> None:
    for path, said in docs.files().items():
        assert (docs.ROOT / path).read_text(encoding="utf-8") == said, (
            f"{path} is not current; run `make docs`"
        )
    schemas = {f"docs/schema/{path.name}" for path in (docs.ROOT / "docs/schema").iterdir()}
    assert schemas == {path for path in docs.files() if path.startswith("docs/schema/")}


def test_every_type_that_is_published_has_a_topic_and_a_schema() -> None:
    bodies = [body for bodies in messages.TOPIC_BODIES.values() for body in bodies]
    assert set(bodies) == set(get_args(Body))
    assert {kind.name for kind in published()} == set(EXAMPLES)
    assert set(docs.TOPICS) == set(messages.TOPIC_BODIES)
    for kind in published():
        Draft202012Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize(("topic", "body"), EXAMPLES.values(), ids=EXAMPLES)
def test_a_message_of_each_type_is_valid(topic: str, body: Body) -> None:
    validate(topic, _message(topic, body))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("status", {"schema": "tillwatch/2"}, "schema"),
        ("status", {"state": "away"}, "state"),
        ("status", {"as_of": None}, "as_of"),
        ("status", {"mood": "good"}, "mood"),
        ("event-fault", {"seq": 0}, "seq"),
        ("event-fault", {"raised_at": "yesterday"}, "raised_at"),
        ("event-fault", {"fault": "kitchen/unplugged"}, "fault is not device/kind"),
        ("event-fault", {"change": "cleared"}, "do not go with change"),
        ("event-fault", {"type": "rumour"}, "nothing of this type"),
        ("health", {"unknown": ["receipt"]}, "unknown is not the unknown devices"),
        ("device", {"device": "kitchen"}, "it tells of kitchen"),
        ("metric", {"values": {"host": {"cpu_pct": "much"}}}, "cpu_pct"),
    ],
)
def test_what_is_not_of_the_contract_is_refused(name: str, change: dict[str, Any], reason: str) -> None:
    topic, body = EXAMPLES[name]
    with pytest.raises(AssertionError, match=reason):
        validate(topic, _message(topic, body) | change)


def test_a_message_stands_on_its_own_topic_only() -> None:
    with pytest.raises(AssertionError, match="nothing is published below"):
        validate("health/x", _message(*EXAMPLES["health"]))
    with pytest.raises(AssertionError, match="nothing of this type"):
        validate("moon", _message(*EXAMPLES["health"]))
    with pytest.raises(AssertionError, match="a message is an object"):
        validate("health", [])


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    document = docs.asyncapi()

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [ref for inner in value.values() for ref in references(inner)]
        return [ref for inner in value for ref in references(inner)] if isinstance(value, list) else []

    found = references(document)
    assert len(found) > len(EXAMPLES)
    for ref in found:
        if ref.startswith("./"):
            assert f"docs/{ref[2:]}" in docs.files()
            continue
        place: Any = document
        for step in ref.removeprefix("#/").split("/"):
            place = place[step]
        assert place


def _page(name: str) -> str:
    return (docs.ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_all_that_a_device_tells_is_in_the_contract(place: Place) -> None:
    bench = place.bench()
    seen = bench.run(15 * place.own.pace_s)
    told = {name for each in seen for name in (*each.identity, *each.facts, *each.statistics)}
    assert told
    assert {name for name in told if f"`{name}`" not in _page("mqtt.md")} == set()


def test_every_statistic_in_the_source_is_in_the_contract() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (docs.ROOT / "drivers").rglob("*.py")]
    names = {name for text in sources for name in re.findall(r'"([A-Z]\w+Count|SequenceCounter)"', text)}
    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in _page("mqtt.md")} == set()


def test_every_key_and_profile_of_a_driver_is_in_the_configurations_page() -> None:
    page = _page("configuration.md")
    for name in registry.BUILT_IN:
        spec = registry.spec(name)
        words = () if name in NO_DEVICE else (name, *spec.options, *spec.profiles)
        assert [word for word in words if f"`{word}`" not in page] == []


def test_every_key_of_the_configuration_is_in_its_page() -> None:
    page = _page("configuration.md")
    tables = {**file._fields(Path("/")), "[device]": file._DEVICE}
    for name, keys in tables.items():
        assert f"[{name}]" in page
        assert [key for key in keys if f"`{key}`" not in page] == []
    schemes = sorted({scheme for name in registry.BUILT_IN for scheme in registry.spec(name).links})
    assert [scheme for scheme in schemes if f"`{scheme}:" not in page] == []
    words = {word for words in look.OFFERED.values() for word in words}
    assert [word for word in words if f"- `{word}" not in page] == []
