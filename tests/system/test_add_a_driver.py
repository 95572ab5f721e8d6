"""docs/add-a-driver.md, done as it says: installed by pip, tested, and run by the daemon against a scale."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.counter import BASE, END_S, HOST, Seen, end, start

pytestmark = pytest.mark.system

PAGE = (Path(__file__).parents[2] / "docs/add-a-driver.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(DEVICE,) = re.findall(r"^```toml\n(\[\[device\]\].*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXPECTED = {
    "pyproject.toml",
    "tillwatch_scale/__init__.py",
    "tillwatch_scale/wire.py",
    "tillwatch_scale/driver.py",
    "test_scale.py",
}
CONFIG = """\
config_version = 1
[terminal]
id = "T-0001"
[mqtt]
url = "{url}"
[agent]
state_dir = "{folder}/state"
[host]
vitals = "file:{folder}/host.json"
"""
WEIGHS, TOO_MUCH = b"\x0200.250\r", b"\x02?\x42\r"


class Scale:
    """On a pseudo-terminal; answers each question with `says`."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave
        self.says = WEIGHS
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while (asked := os.read(self._master, 1)) != b"\x00":
            if asked == b"W":
                os.write(self._master, self.says)

    def close(self) -> None:
        os.write(self._slave, b"\x00")
        self._thread.join(END_S)
        os.close(self._slave)
        os.close(self._master)


@contextmanager
def scale() -> Iterator[Scale]:
    made = Scale()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the page, installed beside; returns the folder for the Python path."""
    assert set(FILES) == EXPECTED
    source, target = tmp_path_factory.mktemp("scale"), tmp_path_factory.mktemp("installed")
    for name, text in FILES.items():
        file = source / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    beside = ["--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    subprocess.run([*install, *beside], check=True, timeout=50, capture_output=True)
    (target / "test_scale.py").write_text(FILES["test_scale.py"], encoding="utf-8")
    return target


def run(installed: Path, *command: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", *command],
        env=os.environ | {"PYTHONPATH": f"{installed}:{Path(__file__).parents[2]}"},
        cwd=installed,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_its_own_tests_pass(installed: Path) -> None:
    assert "4 passed" in run(installed, "pytest", "-p", "no:cacheprovider", "--rootdir=.", "test_scale.py")


def test_the_daemon_watches_it(installed: Path, short_path: Path, broker: Broker, seen: Seen) -> None:
    assert "Scale; links serial" in run(installed, "agent.cli", "devices", "--drivers")
    (short_path / "host.json").write_text(str(HOST).replace("'", '"').replace("True", "true"))
    config = short_path / "tillwatch.toml"
    text = CONFIG.format(url=broker.url, folder=short_path)
    config.write_text(text + DEVICE, encoding="utf-8")
    run(installed, "agent.cli", "config", "check", str(config))
    with scale() as standing:
        link = re.sub(r'link = ".*"', f'link = "serial:{standing.path}?baud=9600"\npoll_s = 0.2', DEVICE)
        config.write_text(text + link, encoding="utf-8")
        daemon = start(
            "agent.cli",
            "run",
            "--config",
            str(config),
            environment={"PYTHONPATH": f"{installed}", "RUNTIME_DIRECTORY": str(short_path / "run")},
        )
        try:
            seen.wait(lambda m: any(one.topic == BASE + "device/scale" for one in m), 15, "the scale")
            standing.says = TOO_MUCH
            seen.wait_fault("scale/over_capacity", "raised")
            standing.says = WEIGHS
            seen.wait_fault("scale/over_capacity", "cleared")
        finally:
            end(daemon)
