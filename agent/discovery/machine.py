"""What the files of a machine say: nodes and who may open them, users, groups, processes, udev's database.

A recorded machine has no device nodes; the file `nodes` at its root stands in for them, each line a path,
an octal mode, an owner and a group.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from drivers.link.passive import ROOT

TEXT_BYTES = 262_144  #: of any one file
NODES_FILE = "nodes"
_UNIT_FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_NODE = re.compile(r"(/\S+)\s+([0-7]{3,4})\s+(\S+)\s+(\S+)")
SERVICE_CONFIG = "/etc/tillwatch/tillwatch.toml"
DAEMON, PASS_THROUGH = "agent.cli.daemon", "agent.pass_through"


@dataclass(frozen=True, slots=True)
class Node:
    """A device node, or a folder, with who may use it."""

    path: str
    mode: int
    owner: str
    group: str

    def shown(self) -> str:
        return f"{stat.filemode(self.mode)[1:]} {self.owner}:{self.group}"


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    command: str  #: /proc/PID/comm
    arguments: tuple[str, ...]
    uid: int | None
    gids: frozenset[int]

    def runs(self, module: str, what: str) -> bool:
        """It is one of ours and was started with that path, which may be a relative one there."""
        given = self.arguments[1:]
        return module in given and any(
            part == what or (not part.startswith("/") and Path(part).name == Path(what).name)
            for part in given
        )


@dataclass(frozen=True, slots=True)
class User:
    """The user that the service runs as, and how that is known."""

    name: str
    groups: frozenset[str]
    is_root: bool
    how: str

    def may_use(self, node: Node) -> bool:
        """Read and write, by mode alone; an access list is not looked at."""
        if self.is_root:
            return True
        shift = 6 if node.owner == self.name else 3 if node.group in self.groups else 0
        return node.mode >> shift & 0o6 == 0o6


class Machine:
    """One machine, looked at once: what was read stays as it was."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def exists(self, path: str) -> bool:
        return path in self._listed or os.path.lexists(self.path(path))

    def text(self, path: str) -> str | None:
        """The end of a file; None where it is not there. Raises PermissionError."""
        try:
            with self.path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(0, size - TEXT_BYTES))
                return file.read(TEXT_BYTES).decode("utf-8", "replace")
        except PermissionError:
            raise
        except OSError:
            return None

    def texts(self, *patterns: str) -> Iterator[tuple[str, str]]:
        """Path and text of each file that fits; raises PermissionError where a folder or a file is closed."""
        for pattern in patterns:
            folder, _, name = pattern.rpartition("/")
            if self.path(folder).is_dir():
                for entry in sorted(os.listdir(self.path(folder))):  # noqa: PTH208 - it says who may not look
                    if Path(entry).match(name) and (text := self.text(f"{folder}/{entry}")) is not None:
                        yield f"{folder}/{entry}", text

    def node(self, path: str) -> Node | None:
        """The node that a path leads to, also by a link of udev's; None where there is none."""
        path = self.resolved(path)
        if path in self._listed:
            return self._listed[path]
        try:
            found = self.path(path).stat()
        except OSError:
            return None
        return Node(
            path,
            found.st_mode,
            self._names(self.users).get(found.st_uid, str(found.st_uid)),
            self._names(self.groups).get(found.st_gid, str(found.st_gid)),
        )

    def resolved(self, path: str) -> str:
        """Where one link of udev's leads."""
        place = self.path(path)
        if not place.is_symlink():
            return path
        return os.path.normpath(Path(path).parent / place.readlink())

    @cached_property
    def users(self) -> Mapping[str, int]:
        return {name: int(fields[1]) for name, fields in self._entries("etc/passwd")}

    @cached_property
    def groups(self) -> Mapping[str, int]:
        return {name: int(fields[1]) for name, fields in self._entries("etc/group")}

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        folders = [entry for entry in _listed(self.root / "proc") if entry.name.isdigit()]
        return tuple(
            Process(int(folder.name), *read) for folder in folders if (read := _process(folder)) is not None
        )

    def running(self, command: str) -> Process | None:
        return next((one for one in self.processes if one.command == command), None)

    def service_user(self, config: str) -> User:
        """As the running daemon, else as the unit says that runs it, else whoever asks."""
        daemon = self.daemon(config)
        if daemon is not None:
            by_number = self._names(self.groups)
            name = self._names(self.users).get(daemon.uid or 0, str(daemon.uid))
            groups = frozenset(by_number.get(gid, str(gid)) for gid in daemon.gids)
            return User(name, groups, daemon.uid == 0, f"the running daemon's, pid {daemon.pid}")
        unit = self.unit_of(config)
        if unit.get("User"):
            name = unit["User"][-1]
            more = {group for line in unit.get("SupplementaryGroups", ()) for group in line.split()}
            return User(name, self._member_of(name) | more, name == "root", "of tillwatch.service")
        name = self._names(self.users).get(os.getuid(), str(os.getuid()))
        return User(name, self._member_of(name), os.getuid() == 0, "you; no service runs it")

    def daemon(self, config: str) -> Process | None:
        return next((one for one in self.processes if one.runs(DAEMON, config) and one.uid is not None), None)

    def unit_of(self, config: str) -> dict[str, list[str]]:
        """tillwatch.service, if it runs that configuration; empty otherwise."""
        unit = self.unit()
        usual = config in (SERVICE_CONFIG, str(self.path(SERVICE_CONFIG)))
        return unit if usual or any(config in line.split() for line in unit.get("ExecStart", ())) else {}

    def unit(self, name: str = "tillwatch.service") -> dict[str, list[str]]:
        """Key -> values of the unit and its drop-ins, as systemd.unit(5) puts them together.

        The unit of the first folder that has it; drop-ins by name, of one name that of the first folder. An
        empty value ends what stood before it.
        """
        home = next((at for at in _UNIT_FOLDERS if self.path(f"{at}/{name}").is_file()), None)
        texts = [self.text(f"{home}/{name}") or ""] if home else []
        more = [file for at in reversed(_UNIT_FOLDERS) for file in self.texts(f"{at}/{name}.d/*.conf")]
        texts += [text for _, text in sorted({Path(path).name: text for path, text in more}.items())]
        found: dict[str, list[str]] = {}
        for key, value in re.findall(r"(?m)^(\w+)=(.*)$", "\n".join(texts).replace("\\\n", " ")):
            values = found.setdefault(key, [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()
        return found

    def udev(self, number: str | None, kind: str = "c") -> dict[str, str]:
        """What udev keeps of a node by its number (major:minor); empty where it keeps nothing."""
        text = self.text(f"run/udev/data/{kind}{number}") if number else None
        lines = (line[2:].partition("=") for line in (text or "").splitlines() if line.startswith("E:"))
        return {key: value for key, _, value in lines}

    @cached_property
    def _listed(self) -> Mapping[str, Node]:
        if self.root == ROOT:
            return {}
        lines = (self.text(NODES_FILE) or "").split("\n")
        found = [_NODE.fullmatch(line.strip()) for line in lines]
        return {one[1]: Node(one[1], int(one[2], 8), one[3], one[4]) for one in found if one}

    def _member_of(self, name: str) -> frozenset[str]:
        own = next((fields[2] for user, fields in self._entries("etc/passwd") if user == name), None)
        groups = {group for group, gid in self.groups.items() if str(gid) == own}
        groups |= {group for group, fields in self._entries("etc/group") if name in fields[2].split(",")}
        return frozenset(groups)

    def _entries(self, path: str) -> list[tuple[str, list[str]]]:
        """Name and further fields of each line of passwd(5) or group(5); what is no entry is left out."""
        rows = [line.strip().split(":") for line in (self.text(path) or "").splitlines()]
        return [(row[0], row[1:]) for row in rows if len(row) >= 4 and row[2].isdigit()]

    @staticmethod
    def _names(table: Mapping[str, int]) -> dict[int, str]:
        return {number: name for name, number in reversed(list(table.items()))}


def _process(folder: Path) -> tuple[str, tuple[str, ...], int | None, frozenset[int]] | None:
    try:
        command = (folder / "comm").read_text("utf-8", "replace").strip()
    except OSError:  # it ended meanwhile
        return None
    arguments = tuple(_text(folder / "cmdline").rstrip("\0").split("\0"))
    said = dict(line.partition(":")[::2] for line in _text(folder / "status").splitlines())
    uid = next(iter(said.get("Uid", "").split()), None)
    gids = [*said.get("Gid", "").split()[:1], *said.get("Groups", "").split()]
    return command, arguments, int(uid) if uid else None, frozenset(map(int, gids))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
