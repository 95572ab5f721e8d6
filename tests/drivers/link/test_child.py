"""The killable child: hangs are ended, nothing is left behind, and it goes when its parent goes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.api import Deadline, Json, SystemClock
from drivers.errors import LinkError, LinkLost, LinkUnusable, Stuck
from drivers.link.child import Child, NotYet

pytestmark = pytest.mark.system

CLOCK = SystemClock()
HELPER = "tests.drivers.link.child_helper"
ROOT = Path(__file__).parents[3]


def after(seconds: float) -> Deadline:
    return Deadline.after(CLOCK, seconds)


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child(HELPER)
    yield made
    made.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def until(reached: Callable[[], bool], within_s: float = 5.0) -> None:
    ends_s = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


def troubles(child: Child, request: dict[str, Json], within_s: float) -> type[LinkError] | None:
    try:
        child.ask(request, after(within_s))
    except LinkError as error:
        return type(error)
    return None


def test_it_answers(child: Child) -> None:
    first = child.ask({"say": "a"}, after(5))
    second = child.ask({"say": "b"}, after(5))
    assert (first["said"], second["said"]) == ("a", "b")
    assert first["pid"] == second["pid"] == child.pid


@pytest.mark.parametrize("how", [{"sleep": 60}, {"stop": True}])
def test_a_hang_is_killed_and_the_next_call_is_well(child: Child, how: dict[str, bool | int]) -> None:
    child.ask({}, after(5))
    pid = child.pid
    began_s = time.monotonic()
    with pytest.raises(Stuck, match="did not come back"):
        child.ask(how, after(0.1))
    assert time.monotonic() - began_s < 1
    assert not alive(pid)
    assert child.ask({"say": "well"}, after(5))["said"] == "well"


def test_one_that_ends_within_a_call_is_told(child: Child) -> None:
    with pytest.raises(LinkLost):
        child.ask({"end": True}, after(5))
    assert child.ask({"say": "well"}, after(5))["said"] == "well"


def test_an_idle_one_gives_its_memory_back(child: Child) -> None:
    child.ask({}, after(5))
    pid = child.pid
    until(lambda: not alive(pid))
    child.tidy()
    assert child.pid == 0
    child.ask({}, after(5))
    assert child.pid not in (0, pid)


def test_it_is_not_killed_for_being_slow_to_start() -> None:
    child = Child(HELPER)
    with pytest.raises(NotYet):
        child.ask({"say": "early"}, after(0))
    pid = child.pid
    assert child.ask({"say": "late"}, after(5))["said"] == "late"
    assert child.pid == pid
    child.stop()


def test_a_late_answer_is_no_hang_and_answers_nothing_else() -> None:
    child = Child(HELPER, hang_s=1.0)
    child.ask({}, after(5))
    with pytest.raises(NotYet):
        child.ask({"say": "late", "sleep": 0.15}, after(0.05))
    assert child.ask({"say": "next"}, after(5))["said"] == "next"
    child.stop()


def test_a_hang_is_counted_over_several_calls_and_then_rested_from() -> None:
    child = Child(HELPER, hang_s=0.5, rest_s=0.3, hint="restart it")
    child.ask({}, after(5))
    told = [troubles(child, {"sleep": 60}, 0.08) for _ in range(2)]
    while told[-1] is NotYet and len(told) < 20:
        told.append(troubles(child, {"sleep": 60}, 0.08))
    assert told[:2] == [NotYet, NotYet]
    assert told[-1] is Stuck
    began_s = time.monotonic()
    with pytest.raises(Stuck):
        child.ask({}, after(5))
    assert time.monotonic() - began_s < 0.1
    assert child.pid == 0, "nothing is started while it rests"
    time.sleep(0.35)
    with pytest.raises(Stuck) as caught:
        child.ask({"sleep": 0.3}, after(0.15))  # a new one, and still nothing answered since
    assert caught.value.hint == "restart it"
    assert child.ask({"say": "well"}, after(5))["said"] == "well"
    assert troubles(child, {"sleep": 0.1}, 0.05) is NotYet
    child.stop()


def test_threads_take_turns(child: Child) -> None:
    said: list[object] = []

    def ask(number: int) -> None:
        for n in range(50):
            answer = child.ask({"say": [number, n]}, after(10))
            said.append(answer["said"] == [number, n])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert said == [True] * 200
    with pytest.raises(Stuck):
        child.ask({"sleep": 60}, after(0.05))


@pytest.mark.parametrize("busy", [False, True])
def test_it_ends_with_its_parent_even_if_that_is_killed(busy: bool) -> None:
    program = (
        "import sys, threading\n"
        "from drivers.api import Deadline, SystemClock\n"
        "from drivers.link.child import Child\n"
        f"child = Child({HELPER!r})\n"
        "child.ask({}, Deadline.after(SystemClock(), 5))\n"
        "print(child.pid, flush=True)\n"
        f"child.ask({{'sleep': {60 if busy else 0}}}, Deadline.after(SystemClock(), 60))\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.05 if busy else 0)
        parent.send_signal(signal.SIGKILL)
        until(lambda: not alive(pid))


def test_many_hangs_leave_nothing() -> None:
    child = Child(HELPER)
    for _ in range(10):
        child.ask({}, after(5))
        with pytest.raises(Stuck):
            child.ask({"sleep": 60}, after(0.01))
    child.stop()
    assert child.pid == 0


def test_it_carries_no_more_than_it_needs(child: Child) -> None:
    pid = child.ask({}, after(5))["pid"]
    descriptors = sorted(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
    assert descriptors == [0, 1, 2, 3, 4]


def test_what_breaks_inside_is_told_in_a_line_and_the_next_is_well(
    child: Child, capfd: pytest.CaptureFixture[str]
) -> None:
    pid = child.ask({}, after(5))["pid"]
    with pytest.raises(LinkUnusable, match="RuntimeError: two lines"):
        child.ask({"break": True}, after(5))
    assert child.ask({"say": "well"}, after(5)) == {"id": 3, "said": "well", "pid": pid}
    assert capfd.readouterr().err == ""


def test_out_of_descriptors_it_says_so_and_keeps_none(child: Child) -> None:
    """However many are left: each step of starting one fails in its turn."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for spare in range(6):
        taken: list[int] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 30, limits[1]))
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        for _ in range(spare):
            os.close(taken.pop())
        told = troubles(child, {}, 0.1)
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert told is LinkUnusable
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert child.ask({"say": "well"}, after(5))["said"] == "well"


def test_while_it_hangs_who_waits_his_turn_is_told_that_it_does() -> None:
    """Two readers of one pcscd: neither says that it is only late while the other one's call hangs."""
    child = Child(HELPER, hang_s=0.1, rest_s=0.02)
    child.ask({}, after(5))
    until(lambda: troubles(child, {"sleep": 60}, 0.05) is Stuck)
    time.sleep(0.05)
    other = threading.Thread(target=troubles, args=(child, {"sleep": 60}, 0.5))
    other.start()
    until(child._lock.locked)
    assert troubles(child, {}, 0.05) is Stuck
    other.join(5)
    child.stop()
