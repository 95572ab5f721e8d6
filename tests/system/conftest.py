"""What tests of the whole share: a real broker, a subscriber to all of it, a printer shared with a till."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker, mosquitto_broker
from tests.counter import Seen, subscriber
from tests.pass_through import SharedPrinter


@pytest.fixture
def broker(short_path: Path) -> Iterator[Broker]:
    with mosquitto_broker(short_path) as running:
        yield running


@pytest.fixture
def seen(broker: Broker) -> Iterator[Seen]:
    with subscriber(broker.url) as watching:
        yield watching


@pytest.fixture
def beside(short_path: Path, broker: Broker, seen: Seen) -> Iterator[Callable[..., SharedPrinter]]:
    """Starts printer, pass-through and daemon; takes the parameters of `SharedPrinter`."""
    made: list[SharedPrinter] = []

    def new(poll_s: float = 0.2, **how: Any) -> SharedPrinter:
        printer = SharedPrinter(short_path, url=broker.url, poll_s=poll_s, **how)
        made.append(printer)
        printer.start_printer()
        printer.start()
        printer.start_daemon()
        seen.wait_condition("paper_end", value=False, within_s=15)
        return printer

    yield new
    for one in made:
        one.close()
