"""What docs/for-till-developers.md shows works as it stands there, against a running daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.config.file import load
from agent.control import SOCKET_NAME, ask
from tests.brokers import free_port
from tests.counter import Counter, until

pytestmark = pytest.mark.system

PAGE = (Path(__file__).parents[2] / "docs/for-till-developers.md").read_text(encoding="utf-8")
BLOCKS = [
    (language, text)
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
NO_PAPER = "receipt has no paper. Put in a new roll of paper and close the cover."
RUN_S = 20


def examples(language: str) -> list[str]:
    return [text for of, text in BLOCKS if of == language]


@dataclass
class Shop:
    folder: Path
    port: int

    def here(self, example: str) -> str:
        """The example, with this daemon's addresses in place of an installed one's."""
        assert "/run/tillwatch/till" in example or "127.0.0.1:9180" in example
        return example.replace("/run/tillwatch/till", f"{self.folder}/run/till").replace(
            "127.0.0.1:9180", f"127.0.0.1:{self.port}"
        )

    def run(self, *command: str, example: str, suffix: str) -> str:
        file = self.folder / f"example{suffix}"
        file.write_text(self.here(example), encoding="utf-8")
        ran = subprocess.run(
            [*command, str(file)], capture_output=True, text=True, timeout=RUN_S, check=False, cwd=self.folder
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    def status(self) -> dict[str, Any]:
        first: dict[str, Any] = next(ask(self.folder / "run" / SOCKET_NAME, {"do": "status"}))
        return first

    def words(self) -> dict[str, str]:
        """Source -> its last word, as the daemon has it."""
        return {why["source"]: why["word"] for why in self.status()["sale"]["why"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, port = tmp_path_factory.mktemp("till"), free_port()
    till = f'[till]\nhttp = "127.0.0.1:{port}"\norigins = ["https://till.example"]'
    counter = Counter(folder, "mqtt://127.0.0.1:1", agent=till, poll_s=0.2)
    shop = Shop(folder, port)
    try:
        counter.start_printer()
        counter.tell("paper=end")
        counter.start_daemon()
        until((folder / "run/till/state").exists, "the doors", counter.daemon)
        until(lambda: bool((shop.status()["health"] or {}).get("faults")), "the fault")
        yield shop
    finally:
        counter.close()


@pytest.fixture(autouse=True)
def no_leaks() -> None:
    """The daemon of this module outlives each of its tests."""


def me(name: str = "") -> str:
    return "/".join(filter(None, ("till", str(os.getuid()), name)))


def test_python_over_the_sockets(shop: Shop) -> None:
    example, _ = examples("python")
    said = shop.run(sys.executable, "-W", "error", example=example, suffix=".py")
    assert said.splitlines() == ["sale: yes", NO_PAPER, "sale: no"]
    assert shop.words()[me()] == "no"


def test_python_over_http(shop: Shop) -> None:
    _, example = examples("python")
    said = shop.run(sys.executable, "-W", "error", example=example, suffix=".py")
    assert said.splitlines() == ["sale: yes", "sale: no"]
    assert shop.words()["till/http/till-2"] == "no"


@pytest.mark.parametrize("number", [0, 1])
def test_without_an_agent_saying_busy_stops_nothing(number: int, tmp_path: Path) -> None:
    words = examples("python")[number].partition("def state")[0] + "say_busy(True)\nprint('sold')\n"
    nowhere = Shop(tmp_path, free_port())
    assert nowhere.run(sys.executable, "-W", "error", example=words, suffix=".py") == "sold\n"


@pytest.mark.skipif(
    not all(map(shutil.which, ("systemd-notify", "curl"))), reason="systemd-notify or curl is not installed"
)
def test_sh(shop: Shop) -> None:
    (example,) = examples("sh")
    state, printer = shop.run("sh", "-eu", example=example, suffix=".sh").splitlines()
    assert json.loads(state)["sale"] == "yes"
    assert json.loads(printer)["advice"][0]["code"] == "load_paper"
    until(lambda: shop.words()[me()] == "no", "the last word")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript(shop: Shop) -> None:
    (example,) = examples("js")
    said = shop.run("node", example=example, suffix=".mjs")
    assert said.splitlines() == ["sale: yes", NO_PAPER, "sale: no"]
    assert shop.words()["till/http/web"] == "no"


@pytest.mark.skipif(
    not all(map(shutil.which, ("mcs", "mono"))), reason="no C# compiler: neither mcs nor mono is installed"
)
def test_csharp(shop: Shop) -> None:
    (example,) = examples("csharp")
    program = shop.folder / "till.exe"
    libraries = ["-r:System.Net.Http.dll", "-r:System.Core.dll", f"-out:{program}"]
    shop.run("mcs", *libraries, example=example, suffix=".cs")
    ran = subprocess.run(["mono", str(program)], capture_output=True, text=True, timeout=RUN_S, check=False)
    assert ran.returncode == 0, ran.stderr
    state, printer = filter(None, ran.stdout.splitlines())
    assert json.loads(state)["sale"] == "yes"
    assert json.loads(printer)["level"] == "now"
    assert shop.words() | {me(): "no", "till/http/till-3": "no"} == shop.words()


def test_the_state_that_is_shown_has_the_keys_of_a_real_one(shop: Shop) -> None:
    (shown,) = map(json.loads, examples("json"))
    (real_line,) = shop.run(
        sys.executable,
        example=examples("python")[0].partition("say_busy(True)\n")[0] + "print(json.dumps(state()))\n",
        suffix=".py",
    ).splitlines()
    real = json.loads(real_line)
    printer, real_printer = shown["printers"]["receipt"], real["printers"]["receipt"]
    assert shown.keys() == real.keys()
    assert printer.keys() == real_printer.keys()
    assert printer["conditions"].keys() <= real_printer["conditions"].keys()
    assert printer["conditions"]["paper_end"].keys() == real_printer["conditions"]["paper_end"].keys()
    assert printer["advice"] == real_printer["advice"]


def test_the_configuration_that_is_shown_is_one(tmp_path: Path) -> None:
    (till,) = examples("toml")
    file = tmp_path / "t.toml"
    least = 'config_version = 1\n[terminal]\nid = "T"\n[mqtt]\nurl = "mqtt://broker.example"\n'
    file.write_text(least + till)
    assert load(file, {"HOME": str(tmp_path)}).till.origins == ("https://till.example",)
