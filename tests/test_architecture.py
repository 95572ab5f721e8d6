"""Who may import whom, read from the sources; and what the daemon must not carry."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("agent", "drivers", "simulator")
LINES_MOST = 400


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a file imports. `lazy`: inside a function, or for the type checker alone."""

    file: str
    line: int
    module: str
    lazy: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Files `where` (but not `but`) import none of `never`, save what matches `save`.

    All are patterns: of paths, and of dotted module names. A lazy import is allowed to `lazily`.
    """

    why: str
    where: str
    never: tuple[str, ...]
    save: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    lazily: tuple[str, ...] = ()

    def broken_by(self, found: Import) -> bool:
        return (
            fnmatch(found.file, self.where)
            and not _any(found.file, self.but)
            and _within(found.module, self.never)
            and not _within(found.module, self.save)
            and not (found.lazy and _any(found.file, self.lazily))
        )


SERIAL_USB = ("serial", "usb", "smartcard", "hid")
IO = ("serial", "usb", "smartcard", "hid", "socket", "time", "threading", "select", "selectors", "os", "io")

RULES = (
    Rule("drivers know nobody", "drivers/*", ("agent", "simulator")),
    Rule(
        "only the demo knows the simulator, and loads it when asked",
        "agent/*",
        ("simulator",),
        lazily=("agent/cli/demo*.py",),
    ),
    Rule(
        "the simulator takes names and numbers from drivers, never a codec",
        "simulator/*",
        ("drivers",),
        save=("drivers.*.consts", "drivers.consts"),
    ),
    Rule(
        "only fleet and scenario speak to a broker, and load that when asked",
        "simulator/*",
        ("agent",),
        lazily=("simulator/fleet*.py", "simulator/scenario*.py"),
    ),
    Rule(
        "and of the agent they use no more",
        "simulator/*",
        ("agent",),
        save=("agent.messages", "agent.uplink"),
    ),
    Rule("consts stand alone", "drivers/*/consts.py", PACKAGES),
    Rule(
        "wire stands on consts alone",
        "drivers/*/wire.py",
        PACKAGES,
        save=("drivers.*.consts", "drivers.errors", "drivers.api"),
    ),
    Rule("wire is sans-IO", "drivers/*/wire.py", IO),
    Rule("who judges looks at nothing", "drivers/*/judge.py", IO),
    Rule("probes are counted by who sends none", "drivers/network/probes.py", IO),
    Rule("what passes between daemon and pass-through is sans-IO", "drivers/link/shared_wire.py", IO),
    Rule(
        "the till depends on the pass-through, so that carries little else",
        "agent/pass_through/*",
        ("agent", "tomllib", "psutil", "paho"),
        save=("agent.pass_through", "agent.logs", "agent.sdnotify"),
    ),
    Rule("a descriptor is read without IO", "drivers/link/hid/report.py", IO),
    Rule("an interface is chosen without IO", "drivers/link/usb/pipes.py", tuple(set(IO) - {"usb"})),
    Rule(
        "what a child does is done in the child",
        "*",
        ("drivers.link.pcsc.child", "drivers.link.usb.child", "drivers.link.child_main"),
    ),
    Rule(
        "pcscd's child lives long, and carries nothing of ours",
        "drivers/link/pcsc/child.py",
        PACKAGES,
        lazily=("*",),
    ),
    Rule("IPP's HTTP is sans-IO", "drivers/passive/ipp/http.py", IO),
    Rule("what a source heard is judged without IO", "drivers/passive/*/m*.py", IO),
    *(
        Rule(f"a payment terminal's {name} is sans-IO", f"drivers/terminal/zvt/{name}.py", IO)
        for name in ("meaning", "conversation", "line")
    ),
    Rule("the kernel's lines are read without IO", "drivers/passive/kernel_lines.py", IO),
    *(
        Rule(f"what a display shows: {name} is without IO", f"drivers/display/{name}.py", IO)
        for name in ("text", "ncr597x/comparison", "ncr597x/identity")
    ),
    Rule("an exchange is judged without IO", "drivers/exchange.py", tuple(set(IO) - {"time"})),
    Rule(
        "what is looked at from beside is never opened",
        "drivers/passive/*",
        ("drivers.link.serial", "drivers.link.tcp"),
    ),
    *(
        Rule(f"{name} is sans-IO too", f"drivers/printer/escpos/{name}.py", IO)
        for name in ("till", "commands", "junction", "replies", "claims", "automatic", "splitter")
    ),
    Rule(
        "serial, USB and smart-card packages stay in the links",
        "*",
        SERIAL_USB,
        but=("drivers/link/*", "simulator/doors/*"),
    ),
    Rule("of these, the simulator's doors use USB only", "simulator/doors/*", SERIAL_USB, save=("usb",)),
    *(
        Rule(f"{name}: a virtual USB device is sans-IO", f"simulator/doors/usb/{name}.py", IO)
        for name in ("core", "requests", "descriptors", "unix_wire", "ip_wire")
    ),
    Rule(
        "the backend goes into a daemon's memory, and brings nothing",
        "simulator/doors/usb/backend.py",
        ("simulator",),
        save=("simulator.doors.usb.unix_wire",),
    ),
    Rule("X packages stay in one file", "*", ("Xlib", "mss"), but=("drivers/screen/x11.py",)),
    Rule(
        "psutil stays with the host and the till program",
        "*",
        ("psutil",),
        but=("drivers/host/*", "drivers/app/*"),
    ),
    Rule("paho stays in the uplink", "*", ("paho",), but=("agent/uplink/*",)),
    Rule(
        "click stays in the command lines",
        "*",
        ("click",),
        but=("agent/cli/*", "simulator/cli*.py", "simulator/cli/*"),
    ),
    Rule(
        "what a till says is judged without IO",
        "agent/till/*",
        ("socket", "select", "selectors", "threading", "time", "os"),
        but=tuple(
            f"agent/till/{edge}.py"
            for edge in ("door", "doors", "http_door", "idle", "keeper", "kept", "latest", "notify", "stream")
        ),
    ),
    Rule(
        "what is attached is looked at through files alone",
        "agent/discovery/*",
        (
            *("socket", "subprocess", "fcntl", "termios", "threading", "select", "agent.control"),
            *(f"drivers.link.{link}" for link in ("serial", "tcp", "usb", "hid", "pcsc", "shared")),
        ),
        save=("drivers.link.hid.nodes",),  # which reads sysfs alone
    ),
    Rule(
        "the daemon looks for nothing",
        "agent/*",
        ("agent.discovery",),
        but=("agent/cli/*", "agent/discovery/*"),
    ),
    Rule("threads, not asyncio", "*", ("asyncio",), but=("agent/cli/demo*.py",)),
    Rule("developers' tools are no part of the product", "*", ("pydantic", "hypothesis", "pytest", "tests")),
    Rule("numpy is too big for a terminal", "*", ("numpy",)),
)

TOO_HEAVY = ("click", "asyncio", "numpy", "rich", "pydantic", "amqtt", "simulator")
"""What the daemon's process must not load: each costs memory on every terminal."""


def _any(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def _within(module: str, patterns: tuple[str, ...]) -> bool:
    """Whether the module or a package around it matches."""
    parts = module.split(".")
    names = [".".join(parts[: n + 1]) for n in range(len(parts))]
    return any(fnmatch(name, pattern) for name in names for pattern in patterns)


@cache
def sources() -> dict[str, ast.Module]:
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


@cache
def imports() -> tuple[Import, ...]:
    return tuple(found for file, tree in sources().items() for found in imports_of(file, tree))


def imports_of(file: str, tree: ast.AST, *, lazy: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute here"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(file, node.lineno, inner if is_module(inner) else node.module, lazy)
        else:
            later = isinstance(node, ast.FunctionDef | ast.Lambda) or is_for_types(node)
            yield from imports_of(file, node, lazy=lazy or later)


def is_module(dotted: str) -> bool:
    """Whether a name of ours is a module, not something in one."""
    path = ROOT / dotted.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_imports(rule: Rule) -> None:
    broken = [f"{i.file}:{i.line} imports {i.module}" for i in imports() if rule.broken_by(i)]
    assert broken == [], rule.why


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_a_rule_has_files_to_guard(rule: Rule) -> None:
    assert any(fnmatch(file, rule.where) for file in sources()), rule.where


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("drivers/printer/x/driver.py", "from agent import config", "drivers know nobody"),
        ("agent/daemon.py", "def f():\n import simulator.faults", "only the demo knows"),
        ("agent/cli/demo.py", "import simulator.counter", "only the demo knows"),
        ("simulator/devices/x.py", "from drivers.printer.escpos import wire", "the simulator takes names"),
        ("simulator/counter.py", "import agent.messages", "only fleet and scenario"),
        ("simulator/scenario.py", "import agent.uplink.watcher", "only fleet and scenario"),
        ("simulator/scenario.py", "def f():\n import agent.daemon", "and of the agent"),
        ("drivers/printer/x/consts.py", "import drivers.api", "consts stand alone"),
        ("drivers/printer/x/wire.py", "import drivers.link.serial", "wire stands on consts"),
        ("drivers/printer/x/wire.py", "from time import monotonic", "wire is sans-IO"),
        ("drivers/printer/escpos/junction.py", "import time", "junction is sans-IO"),
        ("drivers/passive/ipp/http.py", "import http.client, socket", "IPP's HTTP"),
        ("drivers/link/hid/report.py", "import os", "a descriptor"),
        ("drivers/link/usb/pipes.py", "import time", "an interface"),
        ("drivers/link/pcsc/link.py", "from drivers.link.pcsc import child", "what a child"),
        ("drivers/link/pcsc/child.py", "import drivers.api", "pcscd's child"),
        ("drivers/passive/snmp/mib.py", "import os", "what a source heard"),
        ("drivers/passive/kernel_lines.py", "import os", "the kernel's lines"),
        ("drivers/terminal/zvt/line.py", "import time", "a payment terminal's line"),
        ("drivers/exchange.py", "import os", "an exchange"),
        ("drivers/passive/node.py", "from drivers.link.serial import SerialLink", "what is looked at"),
        ("drivers/network/judge.py", "import socket", "who judges"),
        ("drivers/network/probes.py", "import time", "probes are counted"),
        ("drivers/reader/x/driver.py", "import serial", "serial, USB"),
        ("simulator/doors/usb.py", "import serial", "of these"),
        ("simulator/doors/usb/core.py", "import time", "core: a virtual"),
        ("simulator/doors/usb/backend.py", "from simulator.loop import Loop", "the backend goes"),
        ("agent/watch/worker.py", "import psutil", "psutil stays"),
        ("agent/daemon.py", "from paho.mqtt import client", "paho stays"),
        ("agent/daemon.py", "import click", "click stays"),
        ("drivers/link/shared_wire.py", "import socket", "what passes between"),
        ("agent/pass_through/lane.py", "from agent.config import Config", "the till depends"),
        ("agent/till/words.py", "import socket", "what a till says"),
        ("agent/discovery/checks/held.py", "import subprocess", "what is attached"),
        ("agent/discovery/attached.py", "from drivers.link.usb.link import UsbLink", "what is attached"),
        ("agent/daemon.py", "from agent.discovery import attached", "the daemon looks for nothing"),
    ],
)
def test_the_rules_can_fail(file: str, text: str, why: str) -> None:
    (rule,) = [rule for rule in RULES if rule.why.startswith(why)]
    assert any(rule.broken_by(found) for found in imports_of(file, ast.parse(text)))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("agent/cli/demo.py", "def demo():\n import simulator.counter"),
        ("simulator/scenario.py", "def play():\n from agent.uplink import watcher"),
        ("simulator/devices/printer/escpos.py", "from drivers.printer.escpos import consts"),
        ("simulator/devices/printer/escpos.py", "from drivers.printer.escpos.consts import DLE"),
        ("drivers/printer/x/wire.py", "from drivers.printer.x.consts import DLE\nimport enum"),
        ("drivers/link/serial.py", "import serial, os, select"),
        ("drivers/host/vitals.py", "def f():\n import psutil"),
        ("simulator/doors/usb.py", "import usb.backend"),
    ],
)
def test_what_the_rules_allow(file: str, text: str) -> None:
    found = list(imports_of(file, ast.parse(text)))
    assert [rule.why for rule in RULES for one in found if rule.broken_by(one)] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """A circle is one room that pretends to be several."""
    needs: dict[str, set[str]] = {dotted(file): set() for file in sources()}
    for found in imports():
        if found.module in needs:
            needs[dotted(found.file)].add(found.module)
    while free := {file for file, others in needs.items() if not others & needs.keys()}:
        needs = {file: others for file, others in needs.items() if file not in free}
    assert not needs, f"among these: {', '.join(needs)}"


def dotted(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


@pytest.mark.parametrize("file", sources())
def test_a_file_holds_one_idea(file: str) -> None:
    lines = len((ROOT / file).read_text("utf-8").splitlines())
    assert lines <= LINES_MOST, f"{file} has {lines} lines; split it"


@pytest.mark.parametrize("file", [file for file in sources() if not Path(file).name.startswith("_")])
def test_a_module_says_what_it_is(file: str) -> None:
    assert ast.get_docstring(sources()[file]), f"{file} has no docstring"


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_packages(package: str) -> None:
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.system
def test_the_daemon_loads_nothing_heavy() -> None:
    program = (
        "import sys, agent.cli.daemon\n"
        "import drivers.host.driver, drivers.printer.escpos.driver, drivers.link.serial\n"
        f"print(*sorted(set({TOO_HEAVY!r}) & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert loaded.stdout.split() == []


@pytest.mark.system
def test_the_pass_through_loads_less_still() -> None:
    program = (
        "import sys, agent.pass_through.__main__, drivers.printer.escpos.junction\n"
        f"heavy = set({(*TOO_HEAVY, 'tomllib', 'psutil', 'sqlite3', 'email', 'paho', 'ctypes')!r})\n"
        "print(*sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert loaded.stdout.split() == []
