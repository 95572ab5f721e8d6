"""Checks that hold for every test: no thread, no descriptor and no child process is left behind."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SETTLE_S = 3.0


def _threads() -> set[int]:
    return {thread.ident for thread in threading.enumerate() if thread.ident is not None}


def _descriptors() -> dict[str, str]:
    open_ones = {}
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a Path per descriptor costs more than the test
        try:
            open_ones[entry] = os.readlink(f"/proc/self/fd/{entry}")  # noqa: PTH115 - same
        except OSError:
            continue  # the listing's own descriptor
    return open_ones


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def pytest_collection_finish() -> None:
    """What was collected lives on to the end: each later look for garbage need not walk through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread, a descriptor or a child process behind."""
    # Looking for children costs a walk through all processes; only system tests start any.
    starts_processes = request.node.get_closest_marker("system") is not None
    threads, descriptors = _threads(), _descriptors()
    children = _children() if starts_processes else set()
    yield
    ends_s = time.monotonic() + SETTLE_S
    while True:
        new_threads = [t.name for t in threading.enumerate() if t.ident not in threads and t.is_alive()]
        new_descriptors = {fd: target for fd, target in _descriptors().items() if fd not in descriptors}
        if not new_threads and not new_descriptors:
            break
        if time.monotonic() > ends_s:
            pytest.fail(f"left behind: threads {new_threads}, descriptors {new_descriptors}", pytrace=False)
        gc.collect()
        time.sleep(0.02)
    if starts_processes:
        assert not _children() - children, "left behind: child processes"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for Unix sockets (108 bytes)."""

    folder = Path(tempfile.mkdtemp(prefix="tw-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
