"""Each trouble of a shop's network, made in namespaces: named rightly, once, and cleared when mended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.host.vitals import clock_synced
from tests.certificates import DAY
from tests.counter import BASE, TERMINAL, end, subscriber, until
from tests.network_lab import BROKER, GATEWAY, HOST, PLAIN, PORT, WELCOME, Lab, inside, ip, why_not
from tests.network_lab import TERMINAL as ADDRESS

pytestmark = pytest.mark.system

NAMED_S = 60.0
MENDED_S = 60.0
AFTER_S = 1.5
_CHANGE = re.compile(r"network/(\w+) (raised|cleared)")

CONFIG = """\
config_version = 1
[terminal]
id = "{terminal}"
[mqtt]
url = "mqtts://{host}:{port}"
ca_file = "{ca_file}"
keepalive_s = {keepalive_s}
{mqtt}
[agent]
state_dir = "{folder}/state"
clock = "{clock}"
[network]
poll_s = {poll_s}
"""


@pytest.fixture(scope="module", autouse=True)
def lab_possible() -> None:
    if why := why_not():
        pytest.skip(why)


class Shop:
    """A lab with a daemon in it."""

    def __init__(
        self, lab: Lab, *, clock: str = "trusted", keepalive_s: int = 2, poll_s: float = 1.0, mqtt: str = ""
    ) -> None:
        self.lab = lab
        self.config = lab.folder / "tillwatch.toml"
        self._log = lab.folder / "daemon.log"
        self._environment = os.environ | {"RUNTIME_DIRECTORY": str(lab.folder / "run")}
        self.config.write_text(
            CONFIG.format(
                terminal=TERMINAL,
                host=HOST,
                port=PORT,
                ca_file=lab.authority.ca_file,
                folder=lab.folder,
                clock=clock,
                keepalive_s=keepalive_s,
                poll_s=poll_s,
                mqtt=mqtt,
            )
        )

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = self.lab.command("agent.cli", "run", "--config", str(self.config))
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)

    def stop(self) -> None:
        end(self._daemon)

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def changes(self) -> list[tuple[str, str]]:
        """(kind, raised or cleared) of the network's faults, in order."""
        return [(m[1], m[2]) for m in _CHANGE.finditer(self._log.read_text())]

    def log(self) -> str:
        return self._log.read_text()

    def await_session(self, within_s: float = 30.0) -> None:
        until(lambda: "connected (MQTT" in self._log.read_text(), "a session", self._daemon, within_s)

    def await_change(self, kind: str, change: str, within_s: float) -> None:
        try:
            until(lambda: (kind, change) in self.changes(), f"{kind} {change}", self._daemon, within_s)
        except AssertionError as late:
            raise AssertionError(f"{late}; {self.changes()}\n{self.log()}") from late

    def tillwatch(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = self.lab.command("agent.cli", *arguments, "--config", str(self.config))
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self._environment
        )


@contextlib.contextmanager
def shop(
    *, relayed: bool = False, prepare: Callable[[Lab], None] = lambda _lab: None, **settings: Any
) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the broker reads its files as its own user
        lab = Lab(folder, relayed=relayed)
        prepare(lab)
        with lab:
            made = Shop(lab, **settings)
            made.start()
            try:
                made.await_session()
                yield made
            finally:
                made.stop()


# -- what goes wrong ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """Something that is broken and mended, and the one kind that names it."""

    kind: str
    break_: Callable[[Lab], None]
    mend: Callable[[Lab], None]
    relayed: bool = False
    prepare: Callable[[Lab], None] = lambda _lab: None
    settings: Mapping[str, Any] = field(default_factory=dict)


def on_terminal(*arguments: str) -> Callable[[Lab], None]:
    return lambda lab: ip("-n", lab.terminal, *arguments)


def take_address_away(lab: Lab) -> None:
    ip("-n", lab.terminal, "address", "flush", "dev", "eth0", "scope", "global")


def give_address_back(lab: Lab) -> None:
    ip("-n", lab.terminal, "address", "add", f"{ADDRESS}/24", "dev", "eth0")
    give_route_back(lab)


def give_route_back(lab: Lab) -> None:
    ip("-n", lab.terminal, "route", "replace", "default", "via", GATEWAY)


def cable_back(lab: Lab) -> None:
    ip("-n", lab.router, "link", "set", "lan", "up")
    give_route_back(lab)


def router_gone(lab: Lab) -> None:
    ip("-n", lab.router, "address", "del", f"{GATEWAY}/24", "dev", "lan")


def router_back(lab: Lab) -> None:
    ip("-n", lab.router, "address", "add", f"{GATEWAY}/24", "dev", "lan")


def name_server(mode: str) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.dns = mode

    return change


def line_dead(lab: Lab) -> None:
    ip("-n", lab.router, "link", "set", "wan", "down")
    lab.dns = "failing"


def line_back(lab: Lab) -> None:
    ip("-n", lab.router, "link", "set", "wan", "up")
    lab.dns = "honest"


def portal(*, on: bool) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.block(PORT, on=on)
        lab.intercept(80, on=on)

    return change


def welcoming(lab: Lab) -> None:
    lab.page = WELCOME


def portal_that_lies(*, on: bool) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.dns = "lying" if on else "honest"
        lab.block(PORT, on=on)

    return change


def served(make: Callable[[Lab], tuple[Path, Path]]) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.certificate(make(lab))
        lab.restart_broker()

    return change


def mended_certificate(lab: Lab) -> None:
    lab.good_certificate()
    lab.restart_broker()


def listener(text: str) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        lab.listener = text.format(folder=lab.folder)
        lab.restart_broker()

    return change


def with_rules(lab: Lab) -> None:
    (lab.folder / "rules").write_text(f"topic readwrite {BASE}status\ntopic readwrite {BASE}health\n")
    (lab.folder / "rules").chmod(0o644)


def line(**changes: float) -> Callable[[Lab], None]:
    def change(lab: Lab) -> None:
        assert lab.relay
        for name, value in changes.items():
            setattr(lab.relay, name, value)

    return change


TROUBLES = {
    "cable": Trouble(
        "network_down", lambda lab: ip("-n", lab.router, "link", "set", "lan", "down"), cable_back
    ),
    "no address": Trouble("no_address", take_address_away, give_address_back),
    "no gateway named": Trouble("no_route", on_terminal("route", "del", "default"), give_route_back),
    "router dead": Trouble("gateway_unreachable", router_gone, router_back),
    "line dead": Trouble("internet_down", line_dead, line_back),
    "name server silent": Trouble("dns_failed", name_server("silent"), name_server("honest")),
    "portal": Trouble("captive_portal", portal(on=True), portal(on=False)),
    "portal that redirects nobody": Trouble(
        "captive_portal", portal(on=True), portal(on=False), prepare=welcoming
    ),
    "portal that lies": Trouble("captive_portal", portal_that_lies(on=True), portal_that_lies(on=False)),
    "port blocked": Trouble(
        "broker_unreachable", lambda lab: lab.block(PORT), lambda lab: lab.block(PORT, on=False)
    ),
    "broker down": Trouble("broker_unreachable", Lab.stop_broker, Lab.start_broker),
    "expired": Trouble(
        "certificate_expired",
        served(lambda lab: lab.authority.sign("old", host=HOST, expired=True)),
        mended_certificate,
    ),
    "not yet valid": Trouble(
        "tls_failed",
        served(lambda lab: lab.authority.sign("new", host=HOST, begins=2 * DAY, ends=200 * DAY)),
        mended_certificate,
    ),
    "clock behind": Trouble(
        "tls_failed" if clock_synced() else "clock_wrong",
        served(lambda lab: lab.authority.sign("new", host=HOST, begins=2 * DAY, ends=200 * DAY)),
        mended_certificate,
        settings={"clock": "auto"},
    ),
    "wrong name": Trouble(
        "tls_failed",
        served(lambda lab: lab.authority.sign("other", host="other.example", ends=200 * DAY)),
        mended_certificate,
    ),
    "ends soon": Trouble(
        "certificate_expiring",
        served(lambda lab: lab.authority.sign("soon", host=HOST, begins=-100 * DAY, ends=10 * DAY)),
        mended_certificate,
    ),
    "login": Trouble("login_refused", listener("allow_anonymous false"), listener("allow_anonymous true")),
    "rights": Trouble(
        "not_authorised",
        listener("allow_anonymous true\nacl_file {folder}/rules"),
        listener("allow_anonymous true"),
        prepare=with_rules,
    ),
    "loss": Trouble(
        "network_lossy", line(loss=0.3), line(loss=0.0), relayed=True, settings={"keepalive_s": 4}
    ),
    "latency": Trouble(
        "network_slow", line(delay_s=1.0), line(delay_s=0.0), relayed=True, settings={"keepalive_s": 5}
    ),
}


def story(trouble: Trouble) -> str:
    """From a healthy network through the trouble and back; how long naming and clearing took."""
    with shop(relayed=trouble.relayed, prepare=trouble.prepare, **trouble.settings) as here:
        time.sleep(AFTER_S)
        assert here.changes() == [], here.log()
        began_s = time.monotonic()
        trouble.break_(here.lab)
        here.await_change(trouble.kind, "raised", NAMED_S)
        named_s = time.monotonic() - began_s
        time.sleep(AFTER_S)
        began_s = time.monotonic()
        trouble.mend(here.lab)
        here.await_change(trouble.kind, "cleared", MENDED_S)
        mended_s = time.monotonic() - began_s
        time.sleep(AFTER_S)
        assert here.changes() == [(trouble.kind, "raised"), (trouble.kind, "cleared")], here.log()
        return f"{trouble.kind} named after {named_s:.1f} s, cleared after {mended_s:.1f} s"


def told_afterwards() -> str:
    """Stored while nobody could be told, with what was seen; told as soon as somebody can."""
    with shop() as here, inside(here.lab.broker), subscriber(f"mqtt://127.0.0.1:{PLAIN}") as seen:
        name_server("silent")(here.lab)
        here.lab.block(PORT)
        here.await_change("internet_down", "raised", NAMED_S)
        assert seen.faults() == []
        here.lab.block(PORT, on=False)
        name_server("honest")(here.lab)
        seen.wait_fault("network/internet_down", "cleared", MENDED_S)
        assert seen.faults() == [("network/internet_down", "raised"), ("network/internet_down", "cleared")]
        raised = next(event for event in seen.events() if event["type"] == "fault")
        assert raised["replayed"] is True
        assert raised["advice"] == "check_line"
        assert raised["evidence"]["gateway_answers"] == GATEWAY
        assert raised["evidence"]["name_servers"] == [GATEWAY]
        assert raised["evidence"]["address"] == BROKER
        return "told afterwards, with what was seen"


def read_by_a_technician() -> str:
    """`selftest network`, through the daemon and without one."""

    def steps(here: Shop) -> tuple[int, dict[str, tuple[str, str]]]:
        done = here.tillwatch("selftest", "network", "--json")
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)["devices"]["network"]["steps"]
        return done.returncode, {step["name"]: (step["verdict"], step["detail"]) for step in told}

    with shop(prepare=with_rules) as here:
        code, through_daemon = steps(here)
        here.stop()
        alone_code, alone = steps(here)
        assert (code, alone_code) == (0, 0), (through_daemon, alone)
        assert {verdict for verdict, _ in (*through_daemon.values(), *alone.values())} == {"passed"}
        assert [*through_daemon] == [*alone]
        assert alone["dns"][1] == f"{HOST} is {BROKER} (by {GATEWAY})"
        here.lab.listener = "allow_anonymous false"
        here.lab.restart_broker()
        code, refused = steps(here)
        assert code == 1
        assert [name for name, (verdict, _) in refused.items() if verdict == "failed"] == ["login"]
        here.lab.block(PORT)
        _, blocked = steps(here)
        place = f"{BROKER}, port {PORT}"
        assert blocked["broker"] == ("failed", f"{place}: does not answer; is the port blocked?")
        assert blocked["login"][0] == "untested"
        return "read step by step"


def tell_all(stories: Mapping[str, Callable[[], str]]) -> None:
    """Every story at once, each in a shop of its own."""
    with ThreadPoolExecutor(len(stories)) as pool:
        running = {name: pool.submit(tell) for name, tell in stories.items()}
    failures = {name: future.exception() for name, future in running.items() if future.exception()}
    for name, future in running.items():
        print(f"{name}: {'FAILED' if name in failures else future.result()}")  # noqa: T201 - for -s
    assert not failures, "\n\n".join(f"{name}: {error}" for name, error in failures.items())


@pytest.mark.timeout(240)
def test_each_trouble_is_named_once_and_cleared() -> None:
    stories = {name: partial(story, trouble) for name, trouble in TROUBLES.items()}
    tell_all(stories | {"told afterwards": told_afterwards, "self-test": read_by_a_technician})


def at_default_timing() -> dict[str, Trouble]:
    """What a terminal has that nobody tuned: a look each 15 s, a ping each 60 s."""
    settings = {"keepalive_s": 60, "poll_s": 15.0}
    return {
        name: dataclasses.replace(trouble, settings={**trouble.settings, **settings})
        for name, trouble in TROUBLES.items()
        if not trouble.relayed  # those show once something is sent, so up to two pings later
    }


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_each_trouble_is_named_at_default_timing() -> None:
    tell_all({name: partial(story, trouble) for name, trouble in at_default_timing().items()})
