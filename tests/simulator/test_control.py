"""The control socket."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.control import CALLERS, ControlError, tell
from simulator.devices.device import BadSetting
from tests.simulator.serving import served

pytestmark = pytest.mark.system


def test_a_change_is_in_force_when_it_is_answered(tmp_path: Path) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0") as device:
        before = device.tell()
        state = device.tell("paper=end", "fault=slow:2")
        assert state["knobs"] == {**dict(before["knobs"]), "paper": "end"}  # type: ignore[call-overload]
        assert state["faults"] == ["slow:2"]
        assert int(str(state["changed_at_monotonic_ns"])) > int(str(before["changed_at_monotonic_ns"]))
        assert device.tell()["changed_at_monotonic_ns"] == state["changed_at_monotonic_ns"]
        with pytest.raises(BadSetting, match="paper=gone"):
            device.tell("paper=gone")
        assert device.tell()["knobs"] == state["knobs"]


def test_a_stale_socket_is_replaced_and_a_live_one_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "ctl"))
    with served(tmp_path, "tcp:127.0.0.1:0") as device:
        assert device.tell()["model"] == "escpos"
        with pytest.raises(ControlError, match="another simulator"), served(tmp_path, "tcp:127.0.0.1:0"):
            pass
        assert device.tell()["model"] == "escpos"
    with pytest.raises(ControlError, match="is the device being served"):
        tell(tmp_path / "ctl", [])


def test_a_path_longer_than_a_socket_address_serves(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with served(folder, "tcp:127.0.0.1:0") as device:
        assert "end" in str(device.tell("paper=end")["knobs"])


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b"{}\n", b'{"set": 3}\n'])
def test_nonsense_is_answered_with_what_to_write(tmp_path: Path, line: bytes) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0") as device, socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(device.control))
        caller.settimeout(2)
        caller.sendall(line)
        assert "write" in json.loads(caller.recv(4096))["error"]
        caller.sendall(b'{"set": []}\n')
        assert json.loads(caller.recv(65536))["model"] == "escpos"


def test_an_endless_line_is_hung_up_on(tmp_path: Path) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0") as device:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(device.control))
            caller.settimeout(2)
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                caller.sendall(bytes(1 << 23))
        assert device.tell()["model"] == "escpos"


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ctl").write_text("keep me")
    with pytest.raises(ControlError, match="no socket"), served(tmp_path, "tcp:127.0.0.1:0"):
        pass
    assert (tmp_path / "ctl").read_text() == "keep me"


def test_callers_beyond_the_bound_are_hung_up_on(tmp_path: Path) -> None:
    with served(tmp_path, "tcp:127.0.0.1:0") as device, ExitStack() as stack:
        callers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CALLERS)]
        for caller in callers:
            caller.connect(str(tmp_path / "ctl"))
        with pytest.raises(ControlError):
            device.tell()
        callers[0].settimeout(5)
        callers[0].sendall(b'{"set": []}\n')
        assert json.loads(callers[0].recv(1 << 16))["model"] == "escpos"
