"""The passive driver on a turned clock: pace, silence, whose word counts, exchange."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from drivers.api import Deadline, Json, Memory, Observation, Occasion, Power, Setup
from drivers.errors import LinkError, LinkUnusable, NoPermission, ProtocolError, Refused, Unreachable
from drivers.link.none import NoLink
from drivers.passive.driver import PassiveDriver
from drivers.passive.source import NETWORK_EACH_S, Closed, Findings, NoSuchPrinter, Whose
from drivers.passive.watched import NEVER_ANSWERED_EACH_S
from tests.clock import TurnedClock
from tests.harness import raised, values

POLL_S = 2.0
WELL = Findings(conditions={"paper_end": False}, power=Power.ONLINE, says="idle")
GONE = Unreachable("192.0.2.7:161: no answer")


@dataclass
class Scripted:
    """Says what it is told to."""

    name: str = "snmp"
    whose: Whose = "device"
    kinds: tuple[str, ...] = ("paper_end",)
    each_s: float = NETWORK_EACH_S
    down: str | None = None
    says: Findings | LinkError | ProtocolError = WELL
    looks: list[float] = field(default_factory=list)
    closed: bool = False

    def look(self, deadline: Deadline) -> Findings:
        self.looks.append(deadline.clock.monotonic_s())
        if isinstance(self.says, Findings):
            return self.says
        raise self.says

    def close(self) -> None:
        self.closed = True


@dataclass
class Table:
    """A driver and its clock."""

    sources: tuple[Scripted, ...]
    clock: TurnedClock = field(default_factory=TurnedClock)
    memory: Memory = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        setup = Setup(device="receipt", link=NoLink(), clock=self.clock, memory=self.memory)
        self.driver = PassiveDriver(setup, self.sources)

    def run(self, seconds: float) -> Observation:
        end_s = self.clock.monotonic_s() + seconds
        while True:
            seen = self.driver.poll(Deadline.after(self.clock, POLL_S))
            if self.clock.monotonic_s() >= end_s:
                return seen
            self.clock.advance(POLL_S)


def test_a_network_source_is_asked_no_faster_than_it_bears() -> None:
    table = Table((Scripted(), Scripted("sysfs", "kernel", ("unplugged",), 0.0)))
    table.run(60)
    slow, quick = (source.looks for source in table.sources)
    assert (len(slow), len(quick)) == (7, 31)


def test_a_source_that_never_answered_is_asked_seldom_and_is_no_fault() -> None:
    table = Table((Scripted(says=GONE),))
    seen = table.run(3600)
    assert set(values(seen).values()) == {None}
    assert (seen.power, seen.facts["looked"]) == (Power.UNKNOWN, {"snmp": "unknown"})
    assert len(table.sources[0].looks) < 3600 / NEVER_ANSWERED_EACH_S + 6
    table.sources[0].says = WELL
    assert table.run(NEVER_ANSWERED_EACH_S + POLL_S).power is Power.ONLINE


def test_three_looks_in_vain_and_the_device_is_unreachable_till_it_answers() -> None:
    table = Table((Scripted(), Scripted("ipp")))
    seen = table.run(20)
    assert (seen.power, seen.heard, values(seen)["unreachable"]) == (Power.ONLINE, True, False)
    for source in table.sources:
        source.says = GONE
    seen = table.run(2 * NETWORK_EACH_S)
    assert (raised(seen), seen.power) == (set(), Power.ONLINE), "two are not three"
    assert values(seen)["paper_end"] is False, "what was known stays known till then"
    seen = table.run(NETWORK_EACH_S)
    assert (raised(seen), seen.power) == ({"unreachable"}, Power.OFF_OFFLINE)
    assert values(seen)["paper_end"] is None
    assert seen.evidence["unreachable"] == {"snmp": str(GONE), "ipp": str(GONE)}
    table.start()
    seen = table.run(3 * NETWORK_EACH_S)
    assert raised(seen) == {"unreachable"}, "also over a restart"
    table.sources[1].says = WELL
    seen = table.run(NETWORK_EACH_S)
    assert (raised(seen), seen.power) == (set(), Power.ONLINE)


@pytest.mark.parametrize(
    "word", [Refused("no"), ProtocolError("nonsense"), NoSuchPrinter("no"), Closed("no"), WELL]
)
def test_whatever_proves_that_the_host_is_there_keeps_it_reachable(
    word: Findings | LinkError | ProtocolError,
) -> None:
    table = Table((Scripted(), Scripted("ipp", says=word)))
    table.run(20)
    table.sources[0].says = GONE
    seen = table.run(100)
    assert values(seen)["unreachable"] is False
    assert seen.facts["looked"] | {"ipp": ""} == {"snmp": "unreachable", "ipp": ""}  # type: ignore[operator]


@pytest.mark.parametrize("word", [Closed("it wants a login (HTTP 401)"), NoSuchPrinter("no printer here")])
def test_a_service_that_says_no_is_not_gone(word: LinkError) -> None:
    ipp = Scripted("ipp")
    queue = Scripted("cups:q", "system", ("print_service_down",), down="print_service_down")
    table = Table((ipp, queue))
    table.run(20)
    ipp.says = queue.says = word
    seen = table.run(60)
    assert (raised(seen), values(seen)["unreachable"]) == (set(), False)
    assert values(seen)["paper_end"] is None
    assert seen.facts["looked"] == {"ipp": word.code, "cups:q": word.code}


def test_our_own_trouble_is_none_of_the_devices() -> None:
    snmp = Scripted()
    table = Table((snmp,))
    table.run(20)
    snmp.says = LinkUnusable("the community's file cannot be read")
    seen = table.run(60)
    assert (raised(seen), values(seen)["unreachable"]) == (set(), None)
    assert (seen.power, seen.facts["looked"]) == (Power.UNKNOWN, {"snmp": "link_unusable"})


def test_a_port_that_was_refused_a_while_ago_proves_nothing_now() -> None:
    ipp = Scripted("ipp", says=Refused("192.0.2.7:631: Connection refused"))
    table = Table((Scripted(), ipp))
    table.run(NEVER_ANSWERED_EACH_S)
    for source in table.sources:
        source.says = GONE
    seen = table.run(4 * NETWORK_EACH_S)
    assert (raised(seen), seen.power) == ({"unreachable"}, Power.OFF_OFFLINE)
    assert set(seen.evidence["unreachable"]) == {"snmp"}
    ipp.looks.clear()
    table.run(NEVER_ANSWERED_EACH_S)
    assert len(ipp.looks) <= NEVER_ANSWERED_EACH_S / NETWORK_EACH_S


def test_the_device_is_believed_before_the_kernel_and_the_queue() -> None:
    def says(value: bool | None) -> Findings:
        return Findings(conditions={"paper_end": value})

    device = Scripted(says=says(False))
    kernel = Scripted("kernel-log", "kernel", each_s=0, says=says(True))
    queue = Scripted("cups:q", "system", says=says(True))
    table = Table((queue, kernel, device))
    assert values(table.run(0))["paper_end"] is False
    device.says = says(None)
    seen = table.run(NETWORK_EACH_S)
    assert values(seen)["paper_end"] is True
    assert set(seen.evidence["paper_end"]) == {"kernel-log", "cups:q"}
    kernel.says = says(False)
    assert values(table.run(POLL_S))["paper_end"] is False


def test_a_print_service_that_is_down_is_said_only_where_there_was_one() -> None:
    kinds = ("print_service_down", "queue_stopped")
    queue = Scripted("cups:q", "system", kinds, down="print_service_down", says=GONE)
    table = Table((queue,))
    assert raised(table.run(100)) == set()
    queue.says = Findings(conditions={"print_service_down": False, "queue_stopped": False})
    table.run(NEVER_ANSWERED_EACH_S)
    queue.says = GONE
    seen = table.run(3 * NETWORK_EACH_S)
    assert raised(seen) == {"print_service_down"}
    assert values(seen)["queue_stopped"] is None
    assert "unreachable" not in values(seen)


def test_a_swapped_printer_is_noticed_by_its_serial_number() -> None:
    def who(serial: str, lines: float) -> Findings:
        identity = {"model": "TM-T88VI", "serial": serial}
        return Findings(identity=identity, statistics={"ReceiptLinePrintedCount": lines, "QueuedJobCount": 0})

    table = Table((Scripted(says=who("A1", 500)),))
    seen = table.run(10)
    assert seen.facts["counted_from"] == {"ReceiptLinePrintedCount": 500}
    table.sources[0].says = who("B2", 7)
    assert raised(table.run(NETWORK_EACH_S)) == set(), "said once"
    seen = table.run(NETWORK_EACH_S)
    assert raised(seen) == {"identity_changed"}
    assert seen.evidence["identity_changed"]["before"] == {"model": "TM-T88VI", "serial": "A1"}
    assert seen.facts["counted_from"] == {"ReceiptLinePrintedCount": 7}
    table.start()
    assert raised(table.run(0)) == {"identity_changed"}
    table.sources[0].says = who("A1", 501)
    seen = table.run(2 * NETWORK_EACH_S)
    assert raised(seen) == set()
    assert seen.facts["counted_from"] == {"ReceiptLinePrintedCount": 500}


def test_two_sources_that_name_it_differently_are_no_exchange() -> None:
    snmp = Scripted(says=Findings(identity={"model": "EPSON UB-E04"}))
    ipp = Scripted("ipp", says=Findings(identity={"model": "TM-m30"}))
    table = Table((snmp, ipp))
    assert table.run(20).identity == {"model": "EPSON UB-E04"}
    snmp.says = GONE
    assert "identity_changed" not in raised(table.run(100))


def test_a_selftest_tells_what_each_source_says() -> None:
    refused = NoPermission("/dev/kmsg: Operation not permitted", hint="see the docs")
    table = Table((Scripted(), Scripted("kernel-log", "kernel", says=refused)))
    occasion, deadline = Occasion("T-1", "now"), Deadline.after(table.clock, 30)
    steps = list(table.driver.selftest("internal", occasion, deadline))
    assert [(step.name, step.verdict, step.detail) for step in steps] == [
        ("snmp", "passed", "idle"),
        ("kernel-log", "untested", "/dev/kmsg: Operation not permitted; see the docs"),
        ("answers", "untested", "access is passive: the agent never opens it"),
    ]
    table.sources[0].says = Findings(conditions={"paper_end": True}, says="noPaper")
    assert next(iter(table.driver.selftest("internal", occasion, deadline))).verdict == "failed"
    assert table.run(0).facts["looked"] == {"snmp": "answers", "kernel-log": "no_permission"}


def test_it_ends_its_sources_and_can_be_woken() -> None:
    table = Table((Scripted(),))
    table.driver.wake()
    table.driver.listen(Deadline.after(table.clock, 3600))
    table.driver.close()
    assert table.sources[0].closed


def test_a_memory_that_is_not_ours_does_no_harm() -> None:
    memory: dict[str, Json] = {"looked.snmp": 7, "identity.snmp": [], "answered": "x"}
    assert raised(Table((Scripted(says=GONE),), memory=memory).run(100)) == set()
