"""Loss and latency out of bursts of probes."""

from __future__ import annotations

from drivers.network.probes import BURST, LATE_MS, Probes

WELL: list[float | None] = [20.0] * BURST
GONE: list[float | None] = [None] * BURST


def burst(lost: int, late: int = 0) -> list[float | None]:
    return [*[None] * lost, *[20.0 + LATE_MS + 1] * late, *[20.0] * (BURST - lost - late)]


def test_two_bursts_tell_a_loss() -> None:
    probes = Probes()
    assert not probes.take(burst(lost=2, late=1))
    one = probes.quality()
    assert (one.lost_pct, one.lost, one.probes) == (None, 3, BURST)
    assert probes.bad()
    assert not probes.take(burst(lost=1))
    two = probes.quality()
    assert (two.rtt_ms, two.lost_pct, two.lost, two.probes) == (20.0, 25.0, 4, 2 * BURST)
    assert [probes.take(WELL), probes.take(WELL)] == [True, True]
    assert not probes.bad()
    assert probes.quality().lost_pct == 0.0


def test_an_outage_is_no_loss() -> None:
    """The burst in which the line comes back has lost what was sent before."""
    probes = Probes()
    probes.take(WELL)
    probes.take(burst(lost=6))  # it goes
    probes.take(GONE)
    probes.take(burst(lost=5))  # it comes
    assert not probes.bad()
    assert probes.quality().probes == 0
    for _ in range(2):
        assert probes.take(WELL)
    assert probes.quality().lost_pct == 0.0


def test_a_burst_long_after_an_outage_counts() -> None:
    probes = Probes()
    probes.take(GONE)
    assert probes.take(WELL)
    assert (probes.quality().probes, probes.quality().rtt_ms) == (BURST, 20.0)


def test_loss_that_begins_with_an_outage_is_told_by_the_next_two() -> None:
    probes = Probes()
    for lost in (BURST, 3, 3, 3):
        probes.take(burst(lost))
    assert probes.quality().lost_pct == 37.5


def test_a_slow_way_is_bad_too() -> None:
    probes = Probes()
    assert not probes.bad()
    assert not probes.take([900.0] * BURST)
    assert probes.bad()


def test_a_burst_that_waited_for_the_line_to_come_back_is_not_slow() -> None:
    """All of its first packets were lost and repeated: each took a second, and the line is well."""
    probes = Probes()
    probes.take(GONE)
    assert not probes.take([1015.0] * BURST)
    assert not probes.bad()
    assert probes.quality().rtt_ms is None
    probes.take(WELL)
    assert not probes.take([1015.0] * BURST)  # an outage between two bursts
    assert probes.quality().rtt_ms == 20.0
    assert probes.bad()  # so the next one comes soon
    assert not probes.take([1015.0] * BURST)
    assert probes.quality().rtt_ms == 1015.0
    assert probes.take(WELL)
    assert probes.quality().rtt_ms == 20.0
