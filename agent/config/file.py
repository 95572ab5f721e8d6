"""Reads the configuration file: all of it checked, every error told at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.config import (
    Agent,
    Config,
    Device,
    Host,
    Mqtt,
    Network,
    Sale,
    Terminal,
    Till,
    sharing,
    till,
    values,
)
from agent.config.tables import (
    ConfigError,
    ConfigErrors,
    Field,
    Fields,
    Problems,
    read_fields,
    refuse_unknown,
)
from drivers import registry
from drivers.api import DriverSpec
from drivers.errors import AddressError, UnknownDriver
from drivers.link import address
from drivers.passive import look

__all__ = ["ConfigError", "ConfigErrors", "load"]

CONFIG_VERSION = 1
RESERVED_IDS = ("host", "agent", "uplink", "network")
OWN_DRIVERS = ("host", "network")
"""Made by the daemon itself, for the terminal's machine and its way out."""
MAX_BYTES = 1 << 20

_LINE_IN_TOML = re.compile(r" \(at line (\d+), column \d+\)$")


def _fields(folder: Path) -> Mapping[str, Fields]:
    """Every table of the file; paths in it count from `folder`."""
    return {
        "terminal": {
            "id": Field(values.identifier(), required=True),
            "site": Field(values.text(64)),
            "hours": Field(values.week),
            "holidays": Field(values.holidays),
            "timezone": Field(values.time_zone),
            "maintenance": Field(values.week),
        },
        "mqtt": {
            "url": Field(values.broker_url, required=True),
            "ca_file": Field(values.file_in(folder)),
            "cert_file": Field(values.file_in(folder)),
            "key_file": Field(values.file_in(folder)),
            "username": Field(values.text()),
            "password_file": Field(values.file_in(folder)),
            "base": Field(values.topic_base),
            "keepalive_s": Field(values.whole(1, 65535)),
        },
        "agent": {
            "state_dir": Field(values.path_in(folder)),
            "till_dir": Field(values.path_in(folder)),
            "clock": Field(values.one_of("auto", "trusted")),
            "health_refresh_s": Field(values.number(1, 86_400)),
            "metric_s": Field(values.number(1, 86_400)),
        },
        "host": {
            "vitals": Field(values.vitals),
            "poll_s": Field(values.number(0.1, 3600)),
        },
        "sale": {
            "quiet_s": Field(values.number(1, 86_400)),
            "display": Field(till.display),
        },
        "till": {
            "http": Field(till.loopback),
            "origins": Field(till.origins),
        },
        "network": {
            "poll_s": Field(values.number(0.1, 3600)),
            "check_url": Field(values.plain_url),
        },
    }


_DEVICE: Fields = {
    "id": Field(values.identifier(*RESERVED_IDS), required=True),
    "driver": Field(values.text(), required=True),
    "link": Field(values.text(max_length=4096), required=True),
    "access": Field(values.one_of("passive", "shared", "exclusive")),
    "till": Field(values.text(max_length=4096)),
    "look": Field(values.texts),
    "profile": Field(values.text()),
    "poll_s": Field(values.number(0.1, 3600)),
    "reply_s": Field(values.number(0.02, 30)),
}

# Keys that mean something only beside another one.
_MQTT_NEEDS = (
    ("cert_file", "key_file"),
    ("key_file", "cert_file"),
    ("password_file", "username"),
)
_MQTT_TLS_ONLY = ("ca_file", "cert_file", "key_file")


def load(path: Path, env: Mapping[str, str]) -> Config:
    """The configuration in `path`; folders it does not name come from `env` (design section 5).

    Raises `ConfigErrors` with everything that is wrong.
    """
    problems = Problems(path)
    document = _parse(path, problems)
    _check_version(document, problems)
    tables = _fields(path.absolute().parent)
    refuse_unknown(document, "", (*tables, "config_version", "device"), problems)
    read = {name: _read_named(document, name, fields, problems) for name, fields in tables.items()}
    devices = _devices(document.get("device", []), problems)
    if "holidays" in read["terminal"] and "hours" not in document["terminal"]:
        problems.add("terminal.holidays", "needs hours beside it")
    if "origins" in read["till"] and "http" not in document["till"]:
        problems.add("till.origins", "needs http beside it")
    mqtt = _mqtt(read["mqtt"], problems)
    agent = _agent(read["agent"], env, problems)
    problems.end()
    return Config(
        source=path,
        terminal=Terminal(**read["terminal"]),
        mqtt=Mqtt(**mqtt),
        agent=Agent(**agent),
        host=Host(**read["host"]),
        sale=Sale(**read["sale"]),
        till=Till(**read["till"]),
        network=Network(**read["network"]),
        devices=tuple(Device(**device) for device in devices),
    )


# -- the file ----------------------------------------------------------------------------------------


def _parse(path: Path, problems: Problems) -> dict[str, Any]:
    """The file as TOML; what cannot be parsed at all ends here."""
    document: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            problems.add("file", f"is larger than {MAX_BYTES} bytes; is this the configuration?")
        else:
            document = tomllib.loads(raw.decode())
    except FileNotFoundError:
        problems.add("file", "is not there; name the file to read")
    except PermissionError:
        problems.add(
            "file", "may not be read by this user; use sudo (the service reads it by its group, tillwatch)"
        )
    except OSError as wrong:
        problems.add("file", f"cannot be read: {wrong.strerror}")
    except UnicodeDecodeError as wrong:
        line = wrong.object.count(b"\n", 0, wrong.start) + 1
        problems.add(f"line {line}", "is not UTF-8; save the file in that encoding")
    except (ValueError, RecursionError) as wrong:  # also numbers and nesting beyond any sense
        said = str(wrong)
        where = _LINE_IN_TOML.search(said)
        problems.add(f"line {where[1]}" if where else "file", f"is not TOML: {_LINE_IN_TOML.sub('', said)}")
    problems.end()
    return document


def _check_version(document: Mapping[str, Any], problems: Problems) -> None:
    """Another version has other rules, so nothing else is judged by these."""
    version = document.get("config_version")
    if version is None:
        problems.add("config_version", f"is missing; write config_version = {CONFIG_VERSION} at the top")
    elif version is True or version != CONFIG_VERSION:
        problems.add("config_version", f"this version of Tillwatch reads {CONFIG_VERSION}, not {version!r}")
        problems.end()


# -- tables ------------------------------------------------------------------------------------------


def _read_named(document: Mapping[str, Any], name: str, fields: Fields, problems: Problems) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        problems.add(name, f"expected a table [{name}], not {values.form_of(table)}")
        return {}
    refuse_unknown(table, f"{name}.", fields, problems)
    return read_fields(table, f"{name}.", fields, problems)


def _mqtt(read: dict[str, Any], problems: Problems) -> dict[str, Any]:
    for key, needed in _MQTT_NEEDS:
        if key in read and needed not in read:
            problems.add(f"mqtt.{key}", f"needs {needed} beside it")
    broker: values.Broker | None = read.pop("url", None)
    if broker is None:
        return read
    for key in _MQTT_TLS_ONLY:
        if key in read and not broker.tls:
            problems.add(f"mqtt.{key}", "is of use only with an mqtts:// url")
    return {**read, "host": broker.host, "port": broker.port, "tls": broker.tls}


def _agent(read: dict[str, Any], env: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    state_dir = read.pop("state_dir", None) or _state_dir(env)
    if state_dir is None:
        problems.add("agent.state_dir", "is missing, and neither STATE_DIRECTORY nor HOME is set")
        return read
    runtime_dir = _runtime_dir(env) or state_dir
    till_dir = read.get("till_dir") or Path(env.get("TILLWATCH_TILL_DIR") or runtime_dir / "till")
    return {**read, "state_dir": state_dir, "runtime_dir": runtime_dir, "till_dir": till_dir}


def _state_dir(env: Mapping[str, str]) -> Path | None:
    # systemd may name several, with colons between them; the first is ours.
    if given := env.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    # The XDG specification has relative paths ignored.
    if (state_home := env.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(state_home, "tillwatch")
    if home := env.get("HOME"):
        return Path(home, ".local", "state", "tillwatch")
    return None


def _runtime_dir(env: Mapping[str, str]) -> Path | None:
    if given := env.get("RUNTIME_DIRECTORY", "").split(":")[0]:
        return Path(given)
    if (runtime := env.get("XDG_RUNTIME_DIR", "")).startswith("/"):
        return Path(runtime, "tillwatch")
    return None


# -- devices -----------------------------------------------------------------------------------------


def _devices(tables: object, problems: Problems) -> list[dict[str, Any]]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.add("device", "expected tables [[device]], with double brackets")
        return []
    owners: dict[str, str] = {}
    devices = []
    for index, table in enumerate(tables):
        where = f"device[{index}]"
        device = _device(table, f"{where}.", problems)
        owner = owners.setdefault(device.get("id", where), where)
        if owner != where:
            problems.add(f"{where}.id", f'"{device["id"]}" is the id of {owner} already')
        devices.append(device)
    sharing.check_together(devices, problems)
    return devices


def _device(table: Mapping[str, Any], prefix: str, problems: Problems) -> dict[str, Any]:
    device = read_fields(table, prefix, _DEVICE, problems)
    spec = _spec(device.get("driver"), prefix, problems)
    options = {name: Field(values.option(kind)) for name, kind in (spec.options if spec else {}).items()}
    if spec or "driver" not in device:
        # Which further keys there are, only the driver knows; an unknown driver is error enough.
        refuse_unknown(table, prefix, (*_DEVICE, *options), problems, _whose)
    device["options"] = read_fields(table, prefix, options, problems)
    _check_link(device.get("link"), spec, device.get("access"), prefix, problems)
    _check_look(device, prefix, problems)
    sharing.check(device, spec, prefix, problems)
    profile = device.get("profile")
    if spec and profile is not None and profile not in spec.profiles:
        problems.add(
            f"{prefix}profile",
            f'driver {spec.name} has no profile "{profile}"; it has {", ".join(spec.profiles)}',
        )
    return device


def _spec(name: str | None, prefix: str, problems: Problems) -> DriverSpec | None:
    if name is None:
        return None
    if name in OWN_DRIVERS:
        problems.add(f"{prefix}driver", f"{name} is watched by itself; take this [[device]] out")
        return None
    try:
        return registry.spec(name)
    except UnknownDriver as wrong:
        problems.add(f"{prefix}driver", str(wrong))
        return None


def _whose(key: str) -> str:
    """For a key of other drivers': theirs. Only a file that is wrong has them all loaded."""
    owners = []
    for name in registry.names():
        try:
            options = () if name in OWN_DRIVERS else registry.spec(name).options
        except UnknownDriver:  # a broken package of somebody's
            continue
        if key in options:
            owners.append(name)
    return f"goes with driver {' or '.join(owners)} only" if owners else ""


_ON_BUS = ("usb", "hid")


def _check_link(
    link: str | None, spec: DriverSpec | None, access: str | None, prefix: str, problems: Problems
) -> None:
    if link is None:
        return
    try:
        address.parse(link)
    except AddressError as wrong:
        problems.add(f"{prefix}link", str(wrong))
        return
    scheme = link.partition(":")[0]
    looked_at = access in (None, "passive")
    if looked_at and scheme in _ON_BUS:
        return  # to see whether it is there, no driver is needed
    if looked_at and scheme == "pcsc":
        problems.add(
            f"{prefix}link",
            "pcsc: cannot be looked at from beside: it goes through pcscd, which takes it from nobody; "
            'write access = "exclusive"',
        )
        return
    if access == "shared" and scheme in _ON_BUS and "backend=" in link:
        problems.add(f"{prefix}link", "a device that is shared is the kernel's: leave backend out")
        return
    if spec and scheme not in spec.links:
        offered = ", ".join(spec.links) or "no link"
        problems.add(f"{prefix}link", f"driver {spec.name} works over {offered}, not over {scheme}")


def _check_look(device: Mapping[str, Any], prefix: str, problems: Problems) -> None:
    words, scheme = device.get("look"), str(device.get("link")).partition(":")[0]
    if words is None:
        return
    if device.get("access") not in (None, "passive"):
        problems.add(f"{prefix}look", 'goes with access = "passive" only')
    elif scheme in look.OFFERED:
        try:
            look.read(words, scheme)
        except AddressError as wrong:
            problems.add(f"{prefix}look", str(wrong))
