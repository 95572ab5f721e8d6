"""The junction, rule by rule: small scenes at turned times."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.printer.escpos.automatic import ANSWER_S, PENDING_MOST, Settings
from drivers.printer.escpos.claims import (
    CLAIMS_MOST,
    KEYS_MOST,
    LATE_MOST,
    LIVE_S,
    PROCESS_IDS,
    Claims,
    Owner,
)
from drivers.printer.escpos.commands import Kind
from drivers.printer.escpos.consts import ASB_ITEM_BITS, BLOCK_MOST
from drivers.printer.escpos.junction import (
    ASK_LIVES_S,
    ASKS_MOST,
    DOUBT_S,
    ENDED_S,
    FRAME_S,
    GIVEN_UP_S,
    HOLD_S,
    QUIET_S,
    WAITING_MOST,
    Junction,
)
from drivers.printer.escpos.replies import GIVEN_MOST
from drivers.printer.escpos.splitter import Form, Piece, Splitter
from drivers.printer.escpos.till import JobStream, Question

EOT1, EOT2, EOT4 = b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x04"
MODEL, SERIAL = b"\x1dI\x43", b"\x1dI\x44"
ARM = b"\x1da\x0f"
CUT = b"\x1dV\x00"
FINE, PAPER_LOW, DRAWER = b"\x10\x00\x00\x00", b"\x10\x00\x03\x00", b"\x14\x00\x00\x00"
RASTER = b"\x1dv0\x00\x04\x00\x02\x00"
SOON_S = 0.001


class Scene:
    """A junction on a turned clock; what is due for the printer is written at once, if `line` says so."""

    def __init__(self, junction: Junction | None = None) -> None:
        self.junction = junction or Junction()
        self.now_s = 50.0
        self.printer = b""
        self.line = True
        self.turn()

    def turn(self) -> None:
        self.junction.tick(self.now_s)
        while self.line and (data := self.junction.to_printer(self.now_s)):
            self.printer += data
            self.junction.wrote(len(data), self.now_s)

    def after(self, seconds: float) -> Scene:
        """Time passes, with all that time alone does on its way."""
        end_s = self.now_s + seconds
        while (soon_s := self.junction.next_s(self.now_s)) is not None and soon_s < end_s:
            self.now_s = soon_s
            self.turn()
        self.now_s = end_s
        self.turn()
        return self

    def till(self, data: bytes) -> Scene:
        self.junction.from_till(data, self.now_s)
        self.turn()
        return self

    def ask(self, request: bytes) -> Scene:
        self.junction.ask(request, self.now_s)
        self.turn()
        return self

    def says(self, data: bytes) -> Scene:
        self.junction.from_printer(data, self.now_s)
        self.turn()
        return self

    def proves(self, *requests: bytes) -> Scene:
        """The printer has answered these before."""
        answers = {EOT1: b"\x12", EOT2: b"\x12", EOT4: b"\x12", MODEL: b"_M\x00", SERIAL: b"_1\x00"}
        for request in requests:
            self.ask(request).says(answers[request])
        assert self.mail() == (b"", b"".join(answers[request] for request in requests))
        self.sent()
        return self

    def sent(self) -> bytes:
        data, self.printer = self.printer, b""
        return data

    def mail(self) -> tuple[bytes, bytes]:
        """For the till, for the agent."""
        return self.junction.take_till(), self.junction.take_agent()

    def busy(self) -> bool:
        return self.junction.busy(self.now_s)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# -- the way to the printer --------------------------------------------------------------------------


def test_what_the_till_writes_goes_on_at_once_as_it_is(scene: Scene) -> None:
    job = b"\x1b@Total 9.99\n" + RASTER + bytes(8) + CUT
    for at in range(0, len(job), 3):
        scene.till(job[at : at + 3])
    assert scene.sent() == job
    assert scene.junction.till_bytes == len(job)
    assert scene.junction.jobs == 1


def test_the_agent_asks_at_rest(scene: Scene) -> None:
    assert scene.ask(EOT1).sent() == EOT1
    assert scene.says(b"\x12").mail() == (b"", b"\x12")
    assert not scene.busy()


@pytest.mark.parametrize(
    ("written", "quiet_s"),
    [
        (b"Total\n" + CUT, ENDED_S),
        (b"Total\n" + CUT + EOT1, ENDED_S),
        (b"Total\n", QUIET_S),
        (b"Total\n" + CUT + b"\x1bp\x00\x19\xfa", QUIET_S),
    ],
)
def test_a_job_ends_with_quiet_and_sooner_after_a_cut(scene: Scene, written: bytes, quiet_s: float) -> None:
    scene.till(written).says(b"\x12" * written.count(EOT1)).sent()
    scene.after(quiet_s - 0.02)
    assert scene.busy()
    scene.ask(EOT2)
    assert scene.sent() == b""
    scene.after(0.02)
    assert not scene.busy()
    assert scene.sent() == EOT2


@pytest.mark.parametrize("unfinished", [b"\x1b", b"\x1d(", RASTER, RASTER + EOT1, b"Total\x1dk\x04123"])
def test_nothing_is_asked_inside_of_a_command_however_long_it_takes(scene: Scene, unfinished: bytes) -> None:
    scene.till(unfinished).after(100.0)
    assert scene.busy()
    scene.ask(EOT1)
    assert scene.junction.next_s(scene.now_s) is not None, "to drop what waits"
    scene.after(1.0)
    assert scene.sent() == unfinished
    assert scene.junction.dropped_asks == 1


def test_a_command_that_the_till_left_unfinished_is_given_up_once_it_has_gone(scene: Scene) -> None:
    scene.till(RASTER + b"abc").sent()
    scene.junction.till_closed(scene.now_s)
    scene.after(GIVEN_UP_S - 0.1)
    assert scene.busy()
    scene.after(0.1).ask(EOT1)
    assert (scene.busy(), scene.sent()) == (False, EOT1)
    scene.says(b"\x12").till(b"Total\n" + CUT).after(ENDED_S).ask(EOT2)
    assert scene.sent() == b"Total\n" + CUT + EOT2


def test_a_till_that_has_gone_has_ended_its_job(scene: Scene) -> None:
    scene.till(b"Total\n").sent()
    scene.junction.till_closed(scene.now_s)
    scene.after(ENDED_S).ask(EOT1)
    assert scene.sent() == EOT1


def test_what_was_written_must_have_left_over_the_line() -> None:
    scene = Scene(Junction(byte_s=0.01))
    scene.till(b"x" * 96 + CUT).sent()
    assert scene.junction.next_s(scene.now_s) == pytest.approx(scene.now_s + 0.99)
    scene.after(0.9)
    assert scene.busy()
    scene.junction.set_byte_s(0.0)
    scene.after(0.1).ask(EOT1)
    assert (scene.busy(), scene.sent()) == (False, EOT1)


def test_a_printer_that_takes_nothing_stops_the_till(scene: Scene) -> None:
    scene.line = False
    scene.till(b"x" * WAITING_MOST)
    assert scene.junction.takes_till() == 0
    assert scene.busy()
    scene.junction.to_printer(scene.now_s)
    scene.junction.wrote(10, scene.now_s)
    scene.junction.wrote(0, scene.now_s)
    assert scene.junction.takes_till() == 10
    scene.after(100.0)
    assert scene.busy(), "what waits is a job in progress"
    assert scene.junction.to_printer(scene.now_s) == b"x" * (WAITING_MOST - 10)


def test_a_request_that_is_begun_is_finished_before_the_till_goes_on(scene: Scene) -> None:
    scene.line = False
    scene.ask(SERIAL)
    assert scene.junction.to_printer(scene.now_s) == SERIAL
    scene.junction.wrote(1, scene.now_s)
    scene.till(b"Total\n")
    assert scene.junction.to_printer(scene.now_s) == SERIAL[1:]
    scene.junction.wrote(2, scene.now_s)
    scene.line = True
    assert scene.after(0).sent() == b"Total\n"
    assert scene.says(b"_1\x00").mail() == (b"", b"_1\x00")


# -- what waits --------------------------------------------------------------------------------------


def test_a_job_that_begins_drops_what_waits(scene: Scene) -> None:
    scene.line = False
    scene.ask(EOT1).till(b"Total\n" + CUT)
    scene.line = True
    scene.after(ENDED_S + ASK_LIVES_S)
    assert scene.sent() == b"Total\n" + CUT
    assert scene.junction.dropped_asks == 1


def test_a_mere_question_of_the_tills_drops_nothing(scene: Scene) -> None:
    scene.till(EOT4).ask(EOT1)
    assert scene.sent() == EOT4
    assert not scene.busy()
    assert scene.says(b"\x12").sent() == EOT1
    assert scene.junction.jobs == 0


def test_a_question_in_two_pieces_is_no_job(scene: Scene) -> None:
    scene.till(EOT1[:1]).till(EOT1[1:]).says(b"\x12")
    assert (scene.junction.jobs, scene.mail()) == (0, (b"\x12", b""))


def test_only_a_few_wait_and_not_for_long(scene: Scene) -> None:
    scene.till(b"Total\n").sent()
    for _ in range(ASKS_MOST + 1):
        scene.ask(EOT1)
    scene.junction.ask(b"", scene.now_s)
    assert scene.junction.dropped_asks == 1
    scene.after(ASK_LIVES_S + 1.0)
    assert scene.sent() == b""
    assert scene.junction.dropped_asks == ASKS_MOST + 1
    scene.line = False
    scene.ask(EOT1)
    scene.now_s += ASK_LIVES_S
    assert scene.junction.to_printer(scene.now_s) == b"", "too old, also before it is dropped"


def test_one_question_of_the_agents_at_a_time(scene: Scene) -> None:
    scene.ask(EOT1).ask(EOT2)
    assert scene.sent() == EOT1
    assert scene.says(b"\x12").sent() == EOT2
    scene.ask(EOT4).after(LIVE_S - 0.01)
    assert scene.sent() == b""
    assert scene.after(0.01).sent() == EOT4, "what was not answered by now is not waited for"


def test_what_is_obeyed_in_line_waits_longer_for_the_tills(scene: Scene) -> None:
    scene.till(MODEL).after(1.5).sent()
    assert scene.ask(SERIAL).sent() == b""
    assert scene.ask(EOT1).sent() == EOT1
    assert scene.says(b"\x12").mail()[1] == b"\x12"
    scene.after(9.0).ask(SERIAL)
    assert scene.sent() == SERIAL


@pytest.mark.parametrize("closed_to_commands", [b"\x1b=\x02", b"\x1d:"])
def test_a_printer_that_would_not_obey_is_asked_in_real_time_only(
    scene: Scene, closed_to_commands: bytes
) -> None:
    scene.till(closed_to_commands + b"text").after(1.0).sent()
    scene.ask(MODEL).ask(ARM).ask(EOT1)
    assert scene.sent() == EOT1


# -- who is meant ------------------------------------------------------------------------------------


def test_a_tills_question_waits_for_the_agents_answer_and_print_data_does_not(scene: Scene) -> None:
    scene.ask(EOT1).sent()
    scene.after(SOON_S).till(b"Total\n" + EOT4 + b"Thanks\n")
    assert scene.sent() == b"Total\n"
    assert scene.junction.next_s(scene.now_s) == pytest.approx(scene.now_s + HOLD_S)
    scene.after(SOON_S).says(b"\x12")
    assert scene.sent() == EOT4 + b"Thanks\n"
    assert scene.says(b"\x1e").mail() == (b"\x1e", b"\x12")


def test_it_waits_no_longer_than_that_and_only_once(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).till(b"A" + EOT4 + EOT2).after(HOLD_S / 2).till(b"B" + EOT4)
    assert scene.sent() == EOT1 + b"A"
    scene.after(HOLD_S / 2 + SOON_S)
    assert scene.sent() == EOT4 + EOT2 + b"B" + EOT4
    assert scene.till(EOT1).sent() == EOT1
    assert scene.says(b"\x12").mail() == (b"", b"\x12"), "the oldest question's"
    assert scene.says(b"\x1e\x16").mail() == (b"\x1e\x16", b"")


def test_a_question_that_was_begun_is_not_held_before_its_beginning(scene: Scene) -> None:
    scene.ask(EOT1).till(b"\x10").till(b"\x04\x04")
    assert scene.sent() == EOT1 + b"\x10"
    assert scene.after(HOLD_S).sent() == b"\x04\x04"


def test_other_answers_cannot_be_mistaken(scene: Scene) -> None:
    scene.ask(EOT1).till(b"\x1dr\x01" + MODEL)
    assert scene.sent() == EOT1 + b"\x1dr\x01" + MODEL
    assert scene.says(b"\x12\x03_M\x00").mail() == (b"\x03_M\x00", b"\x12")


def test_the_same_question_of_both_has_one_answer_for_both(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).till(EOT1).after(HOLD_S)
    assert scene.says(b"\x16").mail() == (b"\x16", b"\x16")
    assert scene.says(b"\x16").mail() == (b"", b""), "the second is the agent's, which has it"
    assert scene.till(EOT4).says(b"\x1e").mail() == (b"\x1e", b"")


def test_if_one_of_the_two_was_lost_the_next_of_the_tills_is_not(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).till(EOT1).after(HOLD_S)
    scene.says(b"\x16").mail()
    assert scene.after(LIVE_S).till(EOT4).says(b"\x1e").mail() == (b"\x1e", b"")


def test_what_the_printer_never_answered_gives_way_to_the_till(scene: Scene) -> None:
    scene.ask(EOT2).till(EOT1).after(HOLD_S)
    assert scene.says(b"\x12").mail() == (b"\x12", b"")
    scene.after(1.0).ask(EOT4)
    assert scene.says(b"\x1e").mail() == (b"", b"\x1e")


def test_a_late_answer_is_still_the_agents(scene: Scene) -> None:
    scene.proves(EOT1, MODEL).ask(EOT1).after(1.5)
    assert scene.says(b"\x12").mail() == (b"", b"\x12")
    scene.ask(MODEL).after(50.0)
    assert scene.says(b"_M\x00").mail() == (b"", b"_M\x00")
    scene.ask(EOT1).after(2.5)
    assert scene.says(b"\x12").mail() == (b"", b"\x12"), "a network may have kept it"
    line = Scene(Junction(byte_s=SLOW)).proves(EOT1).ask(EOT1).after(2.5)
    assert line.says(b"\x12").mail() == (b"\x12", b""), "that late it is nobody's, so the till's"
    assert line.junction.unclaimed == 1


def test_the_till_goes_first_where_the_agents_is_old(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).after(1.2).till(EOT4)
    assert scene.says(b"\x1e").mail() == (b"\x1e", b"")


def test_a_till_that_asks_in_vain_holds_the_agent_back_three_times(scene: Scene) -> None:
    for _ in range(3):
        scene.till(EOT4).ask(EOT1).after(0.5)
        assert scene.sent() == EOT4
        scene.after(1.0)
    scene.till(EOT4).ask(EOT1)
    assert scene.sent() == EOT4 + EOT1
    assert scene.says(b"\x12").mail() == (b"", b"\x12")
    assert scene.till(EOT4).says(b"\x1e").mail() == (b"\x1e", b""), "after all it answers"
    scene.till(EOT4).ask(EOT1)
    assert scene.sent() == EOT4 * 2
    assert scene.says(b"\x1e").says(b"\x12").mail() == (b"\x1e", b"\x12")


def test_two_of_the_agents_and_one_answer_prove_nothing_against_the_till(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT2).after(LIVE_S).ask(EOT1)
    assert scene.says(b"\x12").mail() == (b"", b"\x12")
    assert scene.till(EOT4).after(HOLD_S).says(b"\x1e").mail() == (b"\x1e", b"")


def test_completion_is_known_by_its_id_however_late(scene: Scene) -> None:
    probe = b"\x1d(H\x06\x0000"
    scene.ask(probe + b"0001").till(probe + b"TILL").after(1000.0)
    assert scene.says(b"7\x22TILL\x00").mail() == (b"7\x22TILL\x00", b"")
    assert scene.says(b"7\x220001\x00").mail() == (b"", b"7\x220001\x00")
    assert scene.says(b"7\x220001\x00").mail() == (b"7\x220001\x00", b""), "nobody's any more"
    for count in range(PROCESS_IDS + 1):
        scene.ask(probe + b"%04d" % count)
    assert scene.says(b"7\x220000\x00").mail()[1] == b"", "so many are remembered"
    assert scene.says(b"7\x220001\x00").mail()[1] != b""


def test_while_the_till_awaits_what_nobody_knows_all_is_for_it(scene: Scene) -> None:
    scene.ask(ARM).says(FINE).mail()
    scene.till(b"\x1d(E\x02\x00\x04\x01").ask(EOT1).after(0.3)
    assert scene.says(b"\x37\x21ABC\x00" + PAPER_LOW + b"\x12").mail() == (
        b"\x37\x21ABC\x00" + PAPER_LOW + b"\x12",
        PAPER_LOW,
    )
    assert EOT1 not in scene.sent()
    scene.after(1.1).ask(EOT1).says(b"\x12")
    assert scene.mail() == (b"", b"\x12")
    scene.till(b"\x1d(E\x02\x00\x04\x01")
    scene.junction.till_closed(scene.now_s)
    scene.says(DRAWER)
    assert scene.mail() == (b"", DRAWER)


@pytest.mark.parametrize("clears", [b"\x10\x05\x02", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"])
def test_a_cleared_buffer_answers_nothing_that_waited_in_it(scene: Scene, clears: bytes) -> None:
    scene.proves(SERIAL).ask(SERIAL).ask(EOT1).till(clears + MODEL)
    assert scene.says(b"\x37\x25\x00_M\x00").mail() == (b"\x37\x25\x00_M\x00", b"")


def test_the_tills_answers_are_its_own(scene: Scene) -> None:
    scene.till(b"\x1dr\x01" + EOT1 + SERIAL + b"\x1dI\x01")
    answers = b"\x0f\x1a_77\x1f8\x00\x20"
    assert scene.says(answers).mail() == (answers, b"")
    assert scene.junction.unclaimed == 0


def test_nobodys_bytes_are_the_tills_and_noise_is_told_to_an_agent_that_waits(scene: Scene) -> None:
    noise = b"\xff\x80\x05\x12"
    assert scene.says(noise).mail() == (noise, b"")
    scene.proves(EOT1).ask(MODEL)
    assert scene.says(noise).mail() == (noise, b"\xff\x80\x05")
    assert scene.junction.unclaimed == 2 * len(noise)


def test_flow_control_is_the_tills_at_once(scene: Scene) -> None:
    scene.ask(ARM).says(b"\x10\x13\x00")
    assert scene.mail() == (b"\x13", b"")
    assert scene.says(b"\x00\x11\x00").mail() == (b"\x11", FINE)


def test_an_unfinished_answer_is_passed_on(scene: Scene) -> None:
    scene.ask(MODEL).says(b"_TM")
    assert scene.mail() == (b"", b"")
    assert scene.junction.next_s(scene.now_s) == pytest.approx(scene.now_s + FRAME_S)
    assert scene.after(FRAME_S).mail() == (b"_TM", b"_TM")
    slow = Scene(Junction(byte_s=0.01))
    slow.says(b"\x10\x00").after(FRAME_S)
    assert slow.mail() == (b"", b"")
    assert slow.after(FRAME_S).mail() == (b"\x10\x00", b"")


def test_what_nobody_takes_is_bounded(scene: Scene) -> None:
    for _ in range(GIVEN_MOST // 100 + 10):
        scene.says(b"\xff" * 100)
    assert len(scene.mail()[0]) == GIVEN_MOST


# -- automatic status --------------------------------------------------------------------------------


def test_the_agents_automatic_status_is_not_seen_by_the_till(scene: Scene) -> None:
    assert scene.ask(ARM).sent() == ARM
    assert scene.says(FINE + PAPER_LOW).mail() == (b"", FINE + PAPER_LOW)
    assert scene.junction.settings == Settings(till=0, agent=15)


def test_without_the_agents_every_frame_is_the_tills(scene: Scene) -> None:
    assert scene.says(FINE).mail() == (FINE, FINE)


def test_the_tills_setting_passes_and_both_are_set_after_the_job(scene: Scene) -> None:
    scene.ask(ARM).says(FINE).mail()
    scene.sent()
    scene.till(b"\x1da\x01" + b"A" + CUT)
    assert scene.says(FINE).mail() == (FINE, FINE), "the answer to its setting"
    assert scene.sent() == b"\x1da\x01" + b"A" + CUT
    scene.after(ENDED_S)
    assert scene.sent() == ARM
    assert scene.says(FINE).mail() == (b"", FINE)
    assert scene.says(PAPER_LOW).mail() == (b"", PAPER_LOW), "the till wants the drawer alone"
    opened = bytes((DRAWER[0], 0, 3, 0))
    assert scene.says(opened).mail() == (opened, opened)
    assert scene.junction.settings == Settings(till=1, agent=15)


def test_a_change_on_its_way_is_told_from_the_answer_to_a_setting(scene: Scene) -> None:
    scene.till(ARM).says(FINE).mail()
    scene.ask(ARM)
    assert scene.says(PAPER_LOW + PAPER_LOW).mail() == (PAPER_LOW, PAPER_LOW * 2)
    scene.till(ARM)
    assert scene.says(DRAWER + DRAWER).mail() == (DRAWER * 2, DRAWER * 2)


@pytest.mark.parametrize("ends", [b"\x1b@", b"\x1da\x00"])
def test_what_ends_the_tills_automatic_status_does_not_end_the_agents(scene: Scene, ends: bytes) -> None:
    scene.till(ARM).says(FINE).ask(ARM).says(FINE)
    scene.mail(), scene.sent()
    scene.till(ends + b"A" + CUT)
    assert scene.says(DRAWER).mail() == (DRAWER, DRAWER), "still on its way from before"
    scene.after(ENDED_S)
    assert scene.sent() == ends + b"A" + CUT + ARM
    assert scene.says(DRAWER + PAPER_LOW).mail() == (b"", DRAWER + PAPER_LOW)
    assert scene.junction.settings == Settings(till=0, agent=15)


def test_both_have_ended_it(scene: Scene) -> None:
    scene.ask(ARM).says(FINE).mail()
    assert scene.ask(b"\x1da\x00").sent() == ARM + b"\x1da\x00"
    scene.till(ARM).says(FINE).mail()
    assert scene.after(1.0).sent() == ARM, "nothing of the agent's is to be set again"


def test_a_setting_that_is_not_answered_holds_nothing_up_for_long(scene: Scene) -> None:
    scene.till(ARM).ask(EOT1)
    assert scene.sent() == ARM
    scene.after(0.9).ask(EOT1)
    assert scene.sent() == b""
    scene.after(0.2)
    assert scene.sent() == EOT1
    scene.ask(ARM).after(ANSWER_S).ask(ARM).after(ANSWER_S)
    scene.says(FINE)
    assert scene.mail()[0] == FINE, "late, but new to the till"


def test_an_own_reset_ends_automatic_status_too(scene: Scene) -> None:
    scene.ask(ARM).says(FINE).mail()
    scene.ask(b"\x1b@")
    assert scene.sent() == ARM + b"\x1b@" + ARM


def test_settings_are_taken_over() -> None:
    scene = Scene(Junction(till=1, agent=15))
    assert scene.says(FINE).mail() == (FINE, FINE), "the till may not know it yet"
    assert scene.says(PAPER_LOW).mail() == (b"", PAPER_LOW)
    scene.till(b"\x1b@").after(QUIET_S)
    assert scene.sent() == b"\x1b@" + ARM


@pytest.mark.parametrize("item", list(ASB_ITEM_BITS))
def test_each_item_is_about_its_bits(scene: Scene, item: int) -> None:
    scene.till(bytes((0x1D, 0x61, item))).says(FINE).ask(ARM).says(FINE).mail()
    for one, bits in ASB_ITEM_BITS.items():
        changed = bytes(a | b for a, b in zip(FINE, bits, strict=True))
        scene.says(changed)
        assert scene.mail() == (changed if one is item else b"", changed)
        scene.says(FINE).mail()


# -- coming and going --------------------------------------------------------------------------------


def test_late_answers_to_an_agent_that_went_are_nobodys(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).ask(EOT2)
    scene.junction.agent_gone(scene.now_s)
    assert scene.says(b"\x12").mail() == (b"", b"")
    assert scene.after(1.0).sent() == EOT1
    scene.ask(ARM)
    scene.till(b"\x1b@").sent()
    scene.junction.agent_gone(scene.now_s)
    assert scene.after(1.0).sent() == b"", "armed anew when it comes again"


def test_late_answers_to_a_till_that_went_are_nobodys(scene: Scene) -> None:
    scene.till(EOT1)
    scene.line = False
    scene.till(EOT4)
    scene.junction.till_closed(scene.now_s)
    scene.junction.till_opened(scene.now_s)
    scene.line = True
    scene.turn()
    scene.till(b"\x1dr\x01")
    assert scene.says(b"\x12\x12\x00").mail() == (b"\x00", b"")


def test_what_was_said_before_the_till_came_is_not_for_it(scene: Scene) -> None:
    scene.says(b"\xff")
    scene.junction.till_opened(scene.now_s)
    assert scene.mail() == (b"", b"")


def test_a_printer_that_went_answers_nothing(scene: Scene) -> None:
    scene.proves(EOT1).ask(ARM).says(FINE).mail()
    scene.ask(EOT1)
    scene.says(b"_T")
    scene.junction.printer_gone(scene.now_s)
    assert scene.mail() == (b"_T", b"")
    scene.sent()
    assert scene.after(0).sent() == ARM
    assert scene.says(b"\x12").mail()[0] == b"\x12"


def test_a_printer_that_was_off_has_forgotten_the_tills_settings(scene: Scene) -> None:
    scene.till(ARM + RASTER).says(FINE).ask(ARM)
    scene.junction.printer_gone(scene.now_s, powered_off=True)
    assert scene.junction.settings == Settings(till=0, agent=15)
    assert scene.busy(), "the till may not have noticed"
    scene.after(DOUBT_S)
    assert not scene.busy()


@pytest.mark.parametrize(("closed", "quiet_s"), [(True, GIVEN_UP_S), (False, DOUBT_S)])
def test_a_process_in_doubt_waits_for_a_sure_border(closed: bool, quiet_s: float) -> None:
    scene = Scene(Junction(in_doubt=True))
    if closed:
        scene.junction.till_closed(scene.now_s)
    else:
        scene.till(b"rest of an image \x1d(").sent()
    scene.after(quiet_s - 0.1).ask(EOT1)
    assert (scene.busy(), scene.sent()) == (True, b"")
    scene.after(0.1)
    assert (scene.busy(), scene.sent()) == (False, EOT1)


# -- bounds ------------------------------------------------------------------------------------------


def question(request: bytes) -> Question:
    (one,) = JobStream().feed(request)
    assert isinstance(one, Question)
    return one


def test_questions_on_their_way_are_bounded() -> None:
    claims = Claims()
    for at in range(3 * CLAIMS_MOST):
        claims.add(Owner.TILL, question(EOT1), at / 1000)
    assert len(claims._claims) == CLAIMS_MOST
    for at in range(2 * KEYS_MOST):
        claims.add(Owner.AGENT, question(b"\x1d(H\x06\x0000%04d" % at), 1.0)
        claims.match(Kind.PROCESS, b"7\x22%04d\x00" % at, 1.0)
    assert len(claims._proven) <= KEYS_MOST


def test_settings_on_their_way_are_bounded(scene: Scene) -> None:
    for _ in range(3 * PENDING_MOST):
        scene.till(ARM)
    assert len(scene.junction._automatic._pending) == PENDING_MOST


lively = st.lists(
    st.sampled_from([b"\x12", FINE, b"\x13", b"\x11", b"_TM\x00", b"7\x22ABCD\x00", b"\xff", b"\x00"])
    | st.binary(max_size=4)
).map(b"".join)


@given(said=lively, cuts=st.lists(st.integers(0, 100)))
def test_without_an_agent_the_till_hears_every_byte(said: bytes, cuts: list[int]) -> None:
    scene = Scene()
    edges = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
    for a, b in pairwise(edges):
        scene.says(said[a:b])
    flow = b"\x11\x13"
    heard = scene.after(1.0).mail()[0]
    assert heard.translate(None, flow) == said.translate(None, flow)
    assert bytes(b for b in heard if b in flow) == bytes(b for b in said if b in flow)


@given(said=lively)
def test_no_byte_is_lost_between_the_two(said: bytes) -> None:
    scene = Scene()
    scene.proves(EOT1, MODEL).ask(ARM).ask(EOT1).ask(MODEL)
    till, agent = scene.says(said).after(1.0).mail()
    assert len(till) + len(agent) >= len(said)


@given(stream=st.binary(max_size=600))
def test_the_splitter_takes_any_bytes_and_loses_none(stream: bytes) -> None:
    splitter = Splitter()
    pieces = splitter.feed(stream)
    assert len(splitter._frame) <= BLOCK_MOST + 2
    pieces += splitter.flush()
    assert not splitter.unfinished
    assert sorted(b"".join(piece.raw for piece in pieces)) == sorted(stream)
    assert splitter.flush() == []


@pytest.mark.parametrize(
    ("said", "pieces"),
    [
        ("12 7e", [(Form.STATUS, "12"), (Form.STATUS, "7e")]),
        ("10 00 13 03 00", [(Form.FLOW, "13"), (Form.FRAME, "10 00 03 00")]),
        ("5f 54 1f 4d 00", [(Form.BLOCK, "5f 54 1f 4d 00")]),
        ("0f ff", [(Form.SHORT, "0f"), (Form.LOOSE, "ff")]),
        ("10 00 12", [(Form.LOOSE, "10 00"), (Form.STATUS, "12")]),
    ],
)
def test_the_printers_bytes_are_told_apart(said: str, pieces: list[tuple[Form, str]]) -> None:
    expected = [Piece(form, bytes.fromhex(raw)) for form, raw in pieces]
    assert Splitter().feed(bytes.fromhex(said)) == expected


# -- what has not left yet ---------------------------------------------------------------------------

SLOW = 1 / 960
LOW, FINE_2 = b"\x1a", b"\x12"


def test_the_till_s_answer_comes_when_its_question_has_left_over_a_slow_line() -> None:
    scene = Scene(Junction(byte_s=SLOW)).proves(EOT2)
    scene.after(2).till(b"x" * 2000 + b"\n" + CUT + EOT1)
    leaves_s = 2007 * SLOW
    scene.after(leaves_s + 0.001).ask(EOT2).says(LOW).after(HOLD_S).says(FINE_2)
    assert scene.mail()[0] == LOW, "what the till gets is what its own question brought"


def test_nothing_is_asked_while_bytes_wait_before_the_line(scene: Scene) -> None:
    """Flow control, or a network that takes nothing: the question would stand behind the till's bytes."""
    scene.proves(EOT1).till(b"text\n" + CUT + EOT2)
    for _ in range(100):
        scene.junction.not_left(11, scene.now_s)
        scene.after(0.04).ask(EOT1)
        assert scene.busy()
    assert scene.sent() == b"text\n" + CUT + EOT2
    scene.after(ASK_LIVES_S).ask(EOT1).says(LOW)
    assert scene.mail() == (LOW, b""), "the till's question has left only now"


def test_one_question_waits_before_the_line_and_its_answer_is_the_agent_s(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1)
    for _ in range(100):
        scene.junction.not_left(3, scene.now_s)
        scene.after(0.04).ask(EOT1)
        assert not scene.busy(), "no job of the till's is in the way: silence may be judged"
    assert scene.sent() == EOT1, "one, not one for each poll"
    scene.junction.not_left(0, scene.now_s)
    scene.after(0.2).says(FINE_2)
    assert scene.mail() == (b"", FINE_2)


def test_late_answers_to_the_agent_over_a_network_are_never_the_till_s(scene: Scene) -> None:
    """A full printer leaves questions in its connection for minutes, and then answers all of them."""
    scene.proves(EOT1)
    asked = 0
    for _ in range(60):
        scene.ask(EOT1).after(2)
        asked += len(scene.sent()) // 3
        scene.junction.agent_gone(scene.now_s)
    assert LATE_MOST < asked < CLAIMS_MOST
    scene.says(FINE_2 * asked)
    assert scene.mail() == (b"", b"")
    assert scene.ask(EOT1).sent() == EOT1
    scene.says(FINE_2)
    assert scene.mail() == (b"", FINE_2)


def test_a_question_that_was_lost_takes_nothing_from_the_next_one(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).after(2)
    scene.junction.agent_gone(scene.now_s)
    scene.ask(EOT1).says(FINE_2)
    assert scene.mail() == (b"", FINE_2)


def test_after_a_question_of_the_till_s_in_vain_what_comes_late_may_be_its_answer(scene: Scene) -> None:
    scene.proves(EOT1).ask(EOT1).after(3).till(EOT4).after(2)
    scene.says(LOW)
    assert scene.mail() == (LOW, b"")


def test_what_has_left_waits_no_longer_for_its_answer(scene: Scene) -> None:
    scene.till(EOT1).till(EOT4)
    scene.junction.not_left(len(EOT4), scene.now_s + 1.0)
    scene.after(1.04).says(FINE_2)
    assert scene.mail() == (FINE_2, b"")
    assert scene.junction.unclaimed == 0, "the later question has not had its time yet"
