"""Sharing with the till: the messages, the link, the driver around, and the printer's driver beside a job."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api import Condition, Deadline, Observation, Power, SystemClock
from drivers.errors import Absent, LinkLost, PassThroughDown, Unreachable
from drivers.link import shared
from drivers.link.shared import SharedLink
from drivers.link.shared_wire import (
    DATA_MOST,
    FRAME_MOST,
    Ask,
    Frame,
    Heard,
    Leave,
    Open,
    Print,
    Printed,
    State,
    decode,
    encode,
)
from drivers.shared import SharedDriver
from drivers.silence import Judge, Outcome
from tests.clock import TurnedClock
from tests.harness import Bench, raised, values

CLOCK = SystemClock()
FRAMES = st.one_of(
    st.builds(Open, st.integers(0, 0xFFFFFFFF)),
    st.just(Leave()),
    st.builds(Ask, st.binary(max_size=64)),
    st.builds(Print, st.binary(max_size=DATA_MOST)),
    st.builds(Heard, st.binary(max_size=DATA_MOST)),
    st.builds(Printed, st.integers(0, 0xFFFFFFFF)),
    st.builds(
        State,
        opened=st.integers(0, 9),
        link=st.text(),
        text=st.text(),
        busy=st.booleans(),
        power_line=st.none() | st.booleans(),
        lost_bytes=st.integers(0, 1 << 40),
    ),
)


# -- the messages ------------------------------------------------------------------------------------


@given(FRAMES)
def test_a_message_comes_out_as_it_went_in(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=200) | FRAMES.map(lambda frame: encode(frame)[:-1]))
def test_what_cannot_be_read_is_passed_over(datagram: bytes) -> None:
    frame = decode(datagram)
    assert frame is None or decode(encode(frame)) == frame


@pytest.mark.parametrize(
    "said", [b"s[]", b's{"busy": 1}', b's{"moon": 1}', b's{"opened": true}', b"s\xff", b"x", b""]
)
def test_a_state_with_anything_wrong_is_none(said: bytes) -> None:
    assert decode(said) is None


# -- the link ----------------------------------------------------------------------------------------


class PassThrough:
    """The other end, by a script: each frame that comes is answered by what `answer` says."""

    def __init__(self, path: Path, answer: Callable[[Frame], list[Frame]]) -> None:
        self.came: list[Frame] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self.peer: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.peer, _ = self._listener.accept()
            while datagram := self.peer.recv(FRAME_MOST):
                frame = decode(datagram)
                assert frame is not None
                self.came.append(frame)
                for back in self._answer(frame):
                    self.peer.send(encode(back))
        except OSError:
            return  # the test is over

    def say(self, frame: Frame) -> None:
        assert self.peer is not None
        self.peer.send(encode(frame))

    def close(self) -> None:
        for end in (self._listener, self.peer):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        for end in (self._listener, self.peer):
            if end is not None:
                end.close()


Serve = Callable[[Callable[[Frame], list[Frame]]], tuple[PassThrough, SharedLink]]


@pytest.fixture
def serve(short_path: Path) -> Iterator[Serve]:
    made: list[tuple[PassThrough, SharedLink]] = []

    def new(answer: Callable[[Frame], list[Frame]]) -> tuple[PassThrough, SharedLink]:
        made.append(
            (PassThrough(short_path / "s", answer), SharedLink(short_path / "s", "serial:/dev/ttyS0"))
        )
        return made[-1]

    yield new
    for other, link in made:
        link.end()
        other.close()
    made.clear()  # whose links hold a descriptor each as long as they live


def well(frame: Frame) -> list[Frame]:
    match frame:
        case Open(token):
            return [State(opened=token, link="open")]
        case Ask():
            return [Heard(b"\x12")]
        case Print(data):
            return [Heard(b"\x14"), Printed(len(data))]
    return []


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def test_a_question_and_its_answer(serve: Serve) -> None:
    other, link = serve(well)
    link.open(after(2))
    assert link.is_open()
    assert (link.scheme, link.held, link.proves_power) == ("serial", True, False)
    assert link.write(b"\x10\x04\x01", after(1)) == 3
    assert link.read(after(2)) == b"\x12"
    assert other.came == [Open(1), Ask(b"\x10\x04\x01")]
    assert link.read(after(0.01)) == b""


def test_print_data_is_printed_as_a_whole(serve: Serve) -> None:
    other, link = serve(well)
    link.open(after(2))
    assert link.write(b"x" * 300, after(2)) == 300
    assert link.read(after(1)) == b"\x14", "what came meanwhile is kept"
    assert other.came[-1] == Print(b"x" * 300)


def test_what_the_till_does_ends_a_read(serve: Serve) -> None:
    other, link = serve(well)
    link.open(after(2))
    assert not link.busy()
    other.say(State(opened=1, link="open", busy=True))
    assert link.read(after(5)) == b""
    assert link.busy()


def test_the_devices_own_trouble_is_raised_as_if_it_were_ours(serve: Serve) -> None:
    troubles = [State(link="absent", text="/dev/ttyS0: cannot open", hint="look"), State(link="open")]

    def answer(frame: Frame) -> list[Frame]:
        if isinstance(frame, Open):
            state = troubles.pop(0)
            return [State(opened=frame.token, link=state.link, text=state.text, hint=state.hint)]
        return []

    other, link = serve(answer)
    with pytest.raises(Absent, match="cannot open") as told:
        link.open(after(2))
    assert told.value.hint == "look"
    link.open(after(2))
    other.say(State(opened=2, link="absent", text="gone"))
    with pytest.raises(LinkLost, match="gone"):
        link.read(after(2))
    assert not link.is_open()


def test_closed_it_still_hears_of_the_till_and_nothing_else(serve: Serve) -> None:
    other, link = serve(well)
    link.open(after(2))
    link.close()
    other.say(Heard(b"\x12"))
    other.say(State(opened=1, link="closed", busy=True))
    assert link.read(after(2)) == b""
    assert link.busy()
    assert not link.is_open()


def test_one_that_says_nothing_for_too_long_is_down(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    _, link = serve(lambda _frame: [])
    with pytest.raises(LinkLost, match="not answer yet"):
        link.open(after(0.1))
    monkeypatch.setattr(shared, "BUSY_S", 0.15)
    with pytest.raises(PassThroughDown, match="does not answer"):
        link.open(after(0.1))


def test_while_it_tries_to_connect_what_it_said_last_holds(serve: Serve) -> None:
    other, link = serve(lambda _frame: [])
    with pytest.raises(LinkLost):
        link.open(after(0.1))
    other.say(State(link="unreachable", text="192.0.2.7:9100: timed out"))
    with pytest.raises(Unreachable, match="timed out"):
        link.open(after(0.1))


def test_none_at_all_is_down(tmp_path: Path) -> None:
    link = SharedLink(tmp_path / "nowhere" / "s", "tcp:192.0.2.7:9100")
    assert (link.scheme, link.held, link.proves_power) == ("tcp", False, True)
    with pytest.raises(PassThroughDown):
        link.open(after(0.1))
    assert link.read(after(0.01)) == b""
    assert not link.busy()


def test_its_end_is_a_broken_link_and_then_down(serve: Serve) -> None:
    other, link = serve(well)
    link.open(after(2))
    other.close()
    with pytest.raises(LinkLost):
        link.read(after(2))
    with pytest.raises(PassThroughDown):
        link.open(after(0.1))


# -- the driver around -------------------------------------------------------------------------------


class Inner:
    """A driver that has nothing to say by itself."""

    closed = False
    paper_end = False

    def poll(self, deadline: Deadline) -> Observation:
        conditions = {"paper_end": Condition(self.paper_end, wall_s=1.0, verified_by="readback")}
        return Observation(at_s=0, heard=True, power=Power.ONLINE, conditions=conditions)

    def listen(self, deadline: Deadline) -> Observation | None:
        return None

    def selftest(self, *_: object) -> Iterator[None]:
        return iter(())

    def wake(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_a_job_is_news_and_connecting_is_news_once_a_second(tmp_path: Path) -> None:
    clock = TurnedClock()
    link = SharedLink(tmp_path / "s", "serial:/dev/ttyS0")
    driver = SharedDriver(Inner(), link, clock)  # type: ignore[arg-type]
    assert driver.poll(after(1)).in_use is None
    clock.turn_to(clock.monotonic_s() + 2)
    link.state = State(link="open", till_connected=True, busy=True, restarts=1, lost_bytes=7)
    heard = driver.listen(after(1))
    assert heard is not None
    assert (heard.in_use, heard.facts["till"], heard.heard) == (True, {"connected": True}, False)
    assert heard.statistics["PassThroughLostByteCount"] == 7
    assert driver.listen(after(1)) is None
    link.state = State(link="open", till_connected=False, busy=False)
    heard = driver.listen(after(1))
    assert heard is not None, "the job's end is told at once"
    assert (heard.in_use, heard.facts["till"]) == (False, {"connected": True})
    assert driver.listen(after(1)) is None
    clock.turn_to(clock.monotonic_s() + 1.1)
    heard = driver.listen(after(1))
    assert heard is not None
    assert heard.facts["till"] == {"connected": False}


def test_a_device_that_takes_nothing_of_a_job_is_stalled_and_what_it_said_before_is_open(
    tmp_path: Path,
) -> None:
    inner = Inner()
    link = SharedLink(tmp_path / "s", "serial:/dev/ttyS0")
    driver = SharedDriver(inner, link, TurnedClock())  # type: ignore[arg-type]
    assert values(driver.poll(after(1)))["stalled"] is None
    link.state = State(link="open", busy=True)
    assert values(driver.poll(after(1))) == {"paper_end": False, "stalled": False}
    link.state = State(link="open", busy=True, stuck=True)
    told = driver.listen(after(1))
    assert told is not None, "told at once"
    assert (values(told), told.power) == ({"paper_end": None, "stalled": True}, Power.UNKNOWN)
    assert told.in_use is None, "what does not move is no sign of a sale"
    inner.paper_end = True
    told = driver.poll(after(1))
    assert values(told) == {"paper_end": True, "stalled": False}, "it says why it takes nothing"
    assert told.power is Power.ONLINE
    inner.paper_end = False
    link.state = State(link="open")
    assert values(driver.poll(after(1))) == {"paper_end": False, "stalled": False}


# -- the printer's driver beside a job ---------------------------------------------------------------


class BesideTill(Bench):
    """A bench whose printer is busy with a job of the till's while `job` is set: what is asked is dropped."""

    job = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked_in_job: list[bytes] = []
        write = self.link.write

        def ask(data: bytes, deadline: Deadline) -> int:
            if not self.job:
                return write(data, deadline)
            self.asked_in_job.append(data)
            return len(data)

        self.link.busy = lambda: self.job  # type: ignore[method-assign]
        self.link.write = ask  # type: ignore[method-assign]


def test_in_a_job_nothing_is_asked_and_silence_says_nothing() -> None:
    bench = BesideTill(profile="plain")
    assert raised(bench.run(5)[-1]) == set()
    bench.job = True
    seen = bench.run(120)
    assert bench.asked_in_job == []
    assert all(o.power is Power.ONLINE and raised(o) == set() for o in seen)
    assert seen[-1].statistics["CommunicationErrorCount"] == 0
    bench.job = False
    bench.tell("fault=mute")
    assert raised(bench.run(20)[-1]) == {"frozen"}


def test_a_printer_that_is_switched_off_in_a_job_is_off_where_its_line_proves_it() -> None:
    bench = BesideTill(settings=("dsr=wired",))
    bench.run(5)
    bench.job = True
    assert raised(bench.run(10)[-1]) == set()
    bench.tell("power=off")
    last = bench.run(10)[-1]
    assert (raised(last), last.power) == ({"power_off"}, Power.OFF)
    bench.tell("power=on")
    bench.job = False
    last = bench.run(10)[-1]
    assert (raised(last), last.power) == (set(), Power.ONLINE)


@pytest.mark.parametrize(
    ("knob", "kinds"),
    [
        ("paper=end", {"paper_end", "paper_near_end"}),
        ("cutter=jam", {"cutter_error"}),
        ("cover=open", {"cover_open"}),
    ],
)
def test_a_change_in_a_job_is_believed_within_a_second(knob: str, kinds: set[str]) -> None:
    bench = BesideTill()
    bench.run(5)
    bench.job = True
    since_s = bench.clock.monotonic_s()
    bench.tell(knob)
    told = next(o for o in bench.run(3) if raised(o) == kinds)
    assert told.at_s - since_s < (0.1 if knob == "paper=end" else 1.1)
    bench.job = False
    assert raised(bench.run(3)[-1]) == kinds


def test_a_single_wrong_byte_in_a_job_is_gone_when_it_is_over() -> None:
    bench = BesideTill()
    bench.run(5)
    bench.job = True
    bench.run(1)
    bench.driver._talk._pushed(bytes.fromhex("10000300"))  # type: ignore[attr-defined]  # near-end, from noise
    bench.job = False
    assert all(raised(o) == set() for o in bench.run(5))


def test_a_question_overtaken_by_a_job_is_none_that_the_printer_refused() -> None:
    bench = BesideTill()
    for _ in range(40):
        bench.run(1.7)
        bench.job = True
        bench.run(0.9)
        bench.job = False
    last = bench.run(5)[-1]
    assert raised(last) == set()
    assert values(last)["stalled"] is False
    assert last.identity["model"] == "TM-T88III"


def test_without_a_pass_through_the_device_says_nothing_and_that_is_told() -> None:
    judge = Judge(scheme="serial", proves_power=False, memory={}, shared=True)
    judge.feed(Outcome.PASS_THROUGH_DOWN)
    assert judge.conditions()["pass_through_down"] is True
    assert judge.power is Power.UNKNOWN
    judge.feed(Outcome.ANSWERED)
    assert judge.conditions()["pass_through_down"] is False
    assert "pass_through_down" not in Judge(scheme="serial", proves_power=False, memory={}).conditions()
