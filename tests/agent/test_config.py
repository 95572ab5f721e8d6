"""The configuration file: what a good one becomes, and every way one can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import Agent, Config, Device, Host, Mqtt, Terminal
from agent.config.file import load
from agent.config.notes import notes
from agent.config.tables import ConfigErrors
from drivers import registry
from drivers.api import Driver, DriverSpec, Setup, Within
from drivers.display.text import ShownText
from drivers.errors import UnknownDriver
from tests.agent.bad_configurations import BAD, LEAST, TOP

ENV = {"STATE_DIRECTORY": "/var/lib/tillwatch", "RUNTIME_DIRECTORY": "/run/tillwatch"}


def _make(setup: Setup) -> Driver:
    raise AssertionError("no device is made here")


LAMP_SPEC = DriverSpec(
    name="lamp",
    categories=("Lights",),
    links=("tcp",),
    profiles=("plain", "bright"),
    options={
        "mood": ("calm", "merry"),
        "colour": str,
        "limit": int,
        "factor": float,
        "blinks": bool,
        "sign": ShownText,
        "slots": Within(1, 8, whole=True),
        "each_s": Within(60, 3600),
    },
    make=_make,
)


RING_SPEC = DriverSpec(name="ring", categories=("Lights",), links=("tcp",), junction="a.b:C", make=_make)


@pytest.fixture(autouse=True)
def _one_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(name: str) -> DriverSpec:
        if name in ("ring", "ring2"):
            return RING_SPEC
        if name != "lamp":
            raise UnknownDriver(f"there is no driver {name!r}; there are: lamp")
        return LAMP_SPEC

    monkeypatch.setattr(registry, "spec", spec)
    monkeypatch.setattr(registry, "names", lambda: ("broken", "host", "lamp", "ring"))


def write(folder: Path, said: str | bytes) -> Path:
    path = folder / "tillwatch.toml"
    path.write_bytes(said.encode() if isinstance(said, str) else said)
    return path


def wrong(folder: Path, said: str | bytes, env: dict[str, str] | None = None) -> list[str]:
    """Every error as `key: reason`."""
    path = write(folder, said)
    with pytest.raises(ConfigErrors) as raised:
        load(path, ENV if env is None else env)
    lines = str(raised.value).splitlines()
    assert lines == [str(error) for error in raised.value.errors]
    prefix = f"{path}: "
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


# What is right


def test_the_least_configuration_takes_every_default(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    assert load(path, ENV) == Config(
        source=path,
        terminal=Terminal(id="T-0001"),
        mqtt=Mqtt(host="broker.example", port=1883, tls=False),
        agent=Agent(
            state_dir=Path("/var/lib/tillwatch"),
            runtime_dir=Path("/run/tillwatch"),
            till_dir=Path("/run/tillwatch/till"),
        ),
        host=Host(),
        devices=(),
    )


def test_a_full_configuration_says_all(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem", "password"):
        (tmp_path / name).touch()
    path = write(
        tmp_path,
        f"""
        config_version = 1
        [terminal]
        id = "T-0001"
        site = "shop-17"
        hours = "Mo-Fr 08:00-12:30,14:00-20:00; Sa,Su 10:00-16:00"
        [mqtt]
        url = "mqtts://[2001:db8::1]:8884/"
        ca_file = "ca.pem"
        cert_file = "cert.pem"
        key_file = "{tmp_path}/key.pem"
        username = "till"
        password_file = "password"
        base = "shops/v1"
        keepalive_s = 1
        [agent]
        state_dir = "state"
        clock = "trusted"
        health_refresh_s = 60
        metric_s = 30.5
        [host]
        vitals = "file:/run/vitals.json"
        poll_s = 5
        [[device]]
        id = "lamp"
        driver = "lamp"
        link = "tcp:192.0.2.7:9100?hold=1"
        access = "exclusive"
        profile = "bright"
        poll_s = 0.5
        reply_s = 1
        colour = "red"
        limit = 3
        factor = 2
        blinks = true
        """,
    )
    config = load(path, ENV)
    assert config.terminal.hours == "Mo-Fr 08:00-12:30,14:00-20:00; Sa,Su 10:00-16:00"
    assert config.mqtt == Mqtt(
        host="2001:db8::1",
        port=8884,
        tls=True,
        ca_file=tmp_path / "ca.pem",
        cert_file=tmp_path / "cert.pem",
        key_file=tmp_path / "key.pem",
        username="till",
        password_file=tmp_path / "password",
        base="shops/v1",
        keepalive_s=1,
    )
    assert config.agent == Agent(
        state_dir=tmp_path / "state",
        runtime_dir=Path("/run/tillwatch"),
        till_dir=Path("/run/tillwatch/till"),
        clock="trusted",
        health_refresh_s=60.0,
        metric_s=30.5,
    )
    assert config.host == Host(vitals="file:/run/vitals.json", poll_s=5.0)
    assert config.devices == (
        Device(
            id="lamp",
            driver="lamp",
            link="tcp:192.0.2.7:9100?hold=1",
            access="exclusive",
            profile="bright",
            poll_s=0.5,
            reply_s=1.0,
            options={"colour": "red", "limit": 3, "factor": 2.0, "blinks": True},
        ),
    )


@pytest.mark.parametrize(
    ("env", "state_dir", "runtime_dir"),
    [
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/h"}, "/var/lib/a", "/var/lib/a"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/tillwatch", "/x/tillwatch"),
        ({"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/tillwatch", "/h/.local/state/tillwatch"),
        (
            {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7"},
            "/h/.local/state/tillwatch",
            "/run/user/7/tillwatch",
        ),
        (
            {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7", "RUNTIME_DIRECTORY": "/run/t"},
            "/h/.local/state/tillwatch",
            "/run/t",
        ),
    ],
)
def test_folders_come_from_the_environment(
    tmp_path: Path, env: dict[str, str], state_dir: str, runtime_dir: str
) -> None:
    agent = load(write(tmp_path, LEAST), env).agent
    assert (agent.state_dir, agent.runtime_dir) == (Path(state_dir), Path(runtime_dir))


# What is wrong, one thing at a time


@pytest.mark.parametrize(("said", "expected"), BAD.values(), ids=BAD)
def test_a_bad_configuration_is_told_by_key_and_reason(
    tmp_path: Path, said: str | bytes, expected: str
) -> None:
    (line,) = wrong(tmp_path, said)
    assert line.startswith(expected)


def test_a_secret_in_the_url_is_not_repeated(tmp_path: Path) -> None:
    assert "secret" not in str(wrong(tmp_path, TOP + '[mqtt]\nurl = "mqtt://till:secret@broker"'))


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    said = """
        config_version = 1
        moon = "full"
        [terminal]
        hours = 8
        [mqtt]
        url = "mqtt://u:p@broker"
        keepalive_s = "60"
        [agent]
        clock = "none"
        [[device]]
        id = "receipt"
        driver = "teapot"
        link = "smoke:signal"
        [[device]]
        id = "receipt"
        driver = "lamp"
        link = "tcp:h:1"
        poll_s = false
        """
    assert [line.split(": ")[0] for line in wrong(tmp_path, said)] == [
        "moon",
        "terminal.id",
        "terminal.hours",
        "mqtt.url",
        "mqtt.keepalive_s",
        "agent.clock",
        "device[0].driver",
        "device[0].link",
        "device[1].poll_s",
        "device[1].id",
    ]


def test_no_folder_for_the_state(tmp_path: Path) -> None:
    expected = "agent.state_dir: is missing, and neither STATE_DIRECTORY nor HOME is set"
    assert wrong(tmp_path, LEAST, env={}) == [expected]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"absent\.toml: file: is not there; name the file to read"):
        load(tmp_path / "absent.toml", ENV)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="file: cannot be read: Is a directory"):
        load(tmp_path, ENV)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, _mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ConfigErrors, match="file: may not be read by this user; use sudo"):
        load(tmp_path / "t.toml", ENV)


def test_a_certificate_in_a_folder_that_only_the_service_may_enter_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    path = write(tmp_path, TOP + '[mqtt]\nurl = "mqtts://broker"\nca_file = "/private/ca.pem"')
    monkeypatch.setattr(Path, "is_file", refused)
    assert load(path, ENV).mqtt.ca_file == Path("/private/ca.pem")


# Whatever is written, it is a configuration or it is told

VALUE = st.sampled_from(
    [
        "0",
        "-1",
        "1.5",
        "true",
        "inf",
        "2026-01-01",
        '""',
        '"x"',
        '"a\\u0000b"',
        "[]",
        "[[1]]",
        "{}",
        "{a = 1}",
    ]
)
LINE = st.one_of(
    st.tuples(st.sampled_from(["id", "url", "link", "driver", "poll_s", "base", "hours", "site"]), VALUE).map(
        " = ".join
    ),
    st.sampled_from(["[terminal]", "[mqtt]", "[agent]", "[host]", "[[device]]", "[device]", "device = 1"]),
)


@given(st.lists(LINE, max_size=8))
def test_anything_is_a_configuration_or_an_error_of_one_line_each(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = write(tmp_path_factory.getbasetemp(), "\n".join(["config_version = 1", *lines]))
    told = None
    try:
        assert load(path, ENV).terminal.id
    except ConfigErrors as wrong:
        told = wrong
    if told is not None:
        assert len(str(told).splitlines()) == len(told.errors) > 0


@pytest.mark.parametrize(
    ("access", "link", "noted"),
    [
        ("exclusive", "tcp:h:1", []),
        ("passive", "tcp:h:1", ['device[0].slots: does nothing while access is "passive"']),
        ("exclusive", "pcsc:Reader", ["device[0].slots: does nothing over pcsc:"]),
    ],
)
def test_a_key_that_does_nothing_is_noted(access: str, link: str, noted: list[str]) -> None:
    device = Device(id="d", driver="lamp", link=link, access=access, options={"slots": 2})  # type: ignore[arg-type]
    config = Config(
        source=Path("c"),
        terminal=Terminal(id="T"),
        mqtt=Mqtt(host="b", port=1, tls=False),
        agent=Agent(state_dir=Path("s"), runtime_dir=Path("r"), till_dir=Path("t")),
        devices=(device,),
    )
    told = notes(config)
    assert len(told) == len(noted)
    assert all(line.startswith(begin) for line, begin in zip(told, noted, strict=True))
