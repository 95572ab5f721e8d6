"""The little HTTP there is: requests in any pieces, bounds, hosts, origins, answers."""

from __future__ import annotations

import http.client
import io
import itertools
import json
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.diagnosis.sale import SaleWord
from agent.till import shown
from agent.till.http_wire import BODY_BYTES, HEAD_BYTES, Refused, Request, RequestReader, Response
from agent.till.kept import KeptWords
from agent.till.speakers import SOURCES_EACH_MOST, Speakers
from agent.till.web import Web, WebTalk
from tests.clock import TurnedClock

ORIGIN = "https://till.example"
VIEW: Mapping[str, Any] = {
    "terminal": "T-1",
    "sale": {"state": "no", "why": []},
    "open": True,
    "health": {
        "devices": {"receipt": "now"},
        "faults": [
            {"fault": "receipt/paper_end", "kind": "paper_end", "shelved": False},
            {"fault": "receipt/frozen", "kind": "frozen", "shelved": False},
            {"fault": "receipt/stalled", "kind": "stalled", "shelved": False},
            {"fault": "receipt/head_hot", "kind": "head_hot", "shelved": True},
            {"fault": "host/disk_full", "kind": "disk_full", "shelved": False},
        ],
    },
    "devices": {
        "host": {"categories": [], "power": "online", "conditions": {}},
        "kitchen": None,
        "receipt": {
            "categories": ["POSPrinter", "CashDrawer"],
            "identity": {"serial": "A1"},
            "power": "online",
            "facts": {"pin3": "high"},
            "conditions": {"paper_end": {"value": True, "at": "2026-01-01", "verified_by": "readback"}},
        },
    },
}
PRINTER = {
    "power": "online",
    "level": "now",
    "conditions": {"paper_end": {"value": True, "at": "2026-01-01"}},
}


class Till:
    """A web till, without a socket."""

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 9180)) -> None:
        self.told: list[SaleWord] = []
        kept = KeptWords(Path("/nowhere/words"), "a-boot")
        self.web = Web(*address, [ORIGIN], Speakers(self.told.append, TurnedClock(), kept))

    def send(self, raw: bytes, view: Mapping[str, Any] | None = VIEW) -> tuple[int, Any, Message]:
        said = WebTalk(self.web).feed(raw)
        assert said is not None, "the request is whole"
        return parsed(said if isinstance(said, bytes) else said(view))

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        host: str = "127.0.0.1:9180",
        view: Mapping[str, Any] | None = VIEW,
        **headers: str,
    ) -> tuple[int, Any, Message]:
        fields = {"Host": host, "Content-Length": str(len(body))} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body, view)


class _Wire:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parsed(raw: bytes) -> tuple[int, Any, Message]:
    """As the standard library's client reads it."""
    answer = http.client.HTTPResponse(_Wire(raw))  # type: ignore[arg-type]
    answer.begin()
    body = answer.read()
    return answer.status, json.loads(body) if body else None, answer.headers


# -- the wire ------------------------------------------------------------------------------------------

GOOD = b'POST /v1/busy?x=1 HTTP/1.1\r\nHost: localhost:9180\r\nContent-Length: 14\r\n\r\n{"busy": true}'


@given(st.lists(st.integers(0, len(GOOD)), max_size=12))
def test_a_request_comes_in_any_pieces(cuts: list[int]) -> None:
    reader = RequestReader()
    places = [0, *sorted(cuts), len(GOOD)]
    pieces = [GOOD[a:b] for a, b in itertools.pairwise(places)]
    *first, request = [reader.feed(piece) for piece in pieces if piece]
    assert first == [None] * len(first)
    assert request is not None
    assert (request.method, request.path, request.body) == ("POST", "/v1/busy", b'{"busy": true}')
    assert request.headers["Host"] == "localhost:9180"


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=120))
def test_anything_ends_in_a_request_or_a_refusal_and_is_bounded(pieces: list[bytes]) -> None:
    reader = RequestReader()
    try:
        for piece in pieces:
            if reader.feed(piece) is not None:
                break
            assert len(reader._held) < HEAD_BYTES + BODY_BYTES
    except Refused as refused:
        status = refused.status
        assert 400 <= status < 500


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True).filter(
            lambda name: name.lower() not in ("host", "origin", "content-length", "transfer-encoding")
        ),
        st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True),
        max_size=8,
    ),
    st.binary(max_size=50),
)
def test_what_a_client_writes_is_read(fields: dict[str, str], body: bytes) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    raw = f"GET /v1/state HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    request = RequestReader().feed(raw)
    assert isinstance(request, Request)
    assert request.body == body
    assert {name: request.headers[name] for name in fields} == {
        name: request.headers[name] for name in request.headers if name != "Content-Length"
    }


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: 1\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 4097\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 150 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * HEAD_BYTES, 431),
    ],
)
def test_what_is_refused_as_it_is_read(raw: bytes, status: int) -> None:
    answered, said, headers = Till().send(raw)
    assert answered == status
    assert list(said) == ["error"]
    assert headers["Connection"] == "close"


def test_an_answer_without_a_body_has_no_length() -> None:
    assert b"Content-Length" not in Response(http.HTTPStatus.NO_CONTENT).encode()


# -- who may ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1:9180", "localhost:9180", "LOCALHOST:9180", "[::1]:9180"])
def test_our_own_names(host: str) -> None:
    assert Till().ask("GET", "/v1/state", host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:9180", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:9180", "", "a,localhost:9180"],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    status, said, _ = Till().ask("GET", "/v1/state", host=host)
    assert (status, list(said)) == (403, ["error"])


def test_without_a_host_nothing_is_told() -> None:
    assert Till().send(b"GET /v1/state HTTP/1.1\r\n\r\n")[0] == 403


def test_on_the_usual_port_the_host_may_leave_it_out() -> None:
    assert Till(("127.0.0.2", 80)).ask("GET", "/v1/state", host="127.0.0.2")[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://till.example:444", ""])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/busy"), ("GET", "/v1/state"), ("OPTIONS", "/v1/busy")]
)
def test_a_page_that_is_not_named_gets_nothing(method: str, path: str, origin: str) -> None:
    till = Till()
    status, _, headers = till.ask(method, path, b'{"busy": true}', Origin=origin)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    assert not till.told


def test_a_page_that_is_named_may_read_the_answer_also_a_refusal() -> None:
    for path, status in (("/v1/state", 200), ("/v1/state/none", 404), ("/nothing", 404)):
        answered, _, headers = Till().ask("GET", path, Origin=ORIGIN)
        assert (answered, headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
        assert headers["Vary"] == "Origin"


def test_a_preflight() -> None:
    till = Till()
    status, _, headers = till.ask(
        "OPTIONS",
        "/v1/busy",
        Origin=ORIGIN,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
        Access_Control_Request_Private_Network="true",
    )
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Access-Control-Allow-Private-Network" not in till.ask("OPTIONS", "/v1/busy", Origin=ORIGIN)[2]


# -- what is answered ----------------------------------------------------------------------------------


def test_busy() -> None:
    till = Till()
    assert till.ask("POST", "/v1/busy", b'{"busy": true, "lasts_s": 60}')[:2] == (204, None)
    assert till.told == [SaleWord("till/http", busy=True, sees="whole", lasts_s=60)]


def test_busy_that_is_not_understood() -> None:
    till = Till()
    status, said, _ = till.ask("POST", "/v1/busy", b'{"busy": "yes"}')
    assert (status, said) == (400, {"error": 'expected an object with "busy": true or false'})
    assert not till.told


def test_too_many_sources() -> None:
    till = Till()
    for number in range(SOURCES_EACH_MOST + 1):
        status, _, _ = till.ask("POST", "/v1/busy", b'{"busy": true, "source": "s%d"}' % number)
    assert status == 429


def test_state() -> None:
    status, said, headers = Till().ask("GET", "/v1/state")
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert {key: said[key] for key in ("sale", "open")} == {"sale": "no", "open": True}
    (printer,) = said["printers"].values()
    assert {key: printer[key] for key in PRINTER} == PRINTER
    assert [advice["code"] for advice in printer["advice"]] == ["load_paper", "power_cycle"]
    assert printer["advice"][0]["en"].startswith("Put in a new roll")
    assert "纸卷" in printer["advice"][0]["zh"]
    assert "A1" not in json.dumps(said)


def test_state_of_one_printer() -> None:
    till = Till()
    assert (
        till.ask("GET", "/v1/state/receipt?fresh=1")[1]
        == till.ask("GET", "/v1/state")[1]["printers"]["receipt"]
    )
    for device in ("host", "kitchen", "nobody", "..", "a/b"):
        assert till.ask("GET", f"/v1/state/{device}")[0] == 404


def test_before_there_is_health() -> None:
    view = {**VIEW, "health": None}
    status, said, _ = Till().ask("GET", "/v1/state", view=view)
    assert status == 200
    assert (said["sale"], said["printers"]["receipt"]["level"]) == ("no", "unknown")


def test_a_judging_thread_that_does_not_answer() -> None:
    assert Till().ask("GET", "/v1/state", view=None)[:2] == (503, {"error": shown.BEHIND})


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1/busy", 405, "POST, OPTIONS"),
        ("POST", "/v1/state", 405, "GET, OPTIONS"),
        ("DELETE", "/v1/state/receipt", 405, "GET, OPTIONS"),
        ("GET", "/", 404, None),
        ("GET", "/v1/state/", 404, None),
        ("OPTIONS", "*", 204, None),
    ],
)
def test_everything_else(method: str, path: str, status: int, allow: str | None) -> None:
    answered, _, headers = Till().ask(method, path)
    assert (answered, headers["Allow"]) == (status, allow)
