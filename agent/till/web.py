"""What a web till may ask over HTTP, and from where. Pure but for the words it passes on.

A page in a browser can reach any loopback port. So the request must name us as its host, which a
rebound name does not, and come from a page that the configuration names, or from no page at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus

from agent.till import shown
from agent.till.door import View, Wants
from agent.till.http_wire import Refused, Request, RequestReader, Response, said
from agent.till.speakers import Speakers
from agent.till.words import Unclear, from_json

BUSY = "/v1/busy"
STATE = "/v1/state"
HTTP_PORT = 80  #: a Host may leave it out
_DEVICE = re.compile(rf"{STATE}/([A-Za-z0-9][A-Za-z0-9._-]{{0,62}})")
_PREFLIGHT_LIVES_S = 600


class Web:
    """Answers requests to one loopback address."""

    def __init__(self, host: str, port: int, origins: Collection[str], speakers: Speakers) -> None:
        names = {"localhost", "127.0.0.1", "[::1]", host}
        self._hosts = {f"{name}:{port}" for name in names} | (names if port == HTTP_PORT else set())
        self._origins = frozenset(origins)
        self._speakers = speakers

    def answer(self, request: Request) -> Response | Callable[[View], Response]:
        """Raises Refused."""
        shared = self._admit(request)
        if request.method == "OPTIONS":
            return Response(HTTPStatus.NO_CONTENT, headers=shared | _preflight(request))
        if request.path == BUSY:
            _only(request, "POST", shared)
            return self._busy(request, shared)
        device = _DEVICE.fullmatch(request.path)
        if device or request.path == STATE:
            _only(request, "GET", shared)
            return lambda view: _state(view, device[1] if device else None, shared)
        raise Refused(HTTPStatus.NOT_FOUND, f"there is {BUSY}, {STATE} and {STATE}/DEVICE", shared)

    def _admit(self, request: Request) -> dict[str, str]:
        """The headers that let the asking page read the answer."""
        if request.headers.get("Host", "").strip().lower() not in self._hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "the Host is not this machine's loopback address and port")
        origin = request.headers.get("Origin")
        if origin is None:
            return {}
        if origin.strip() not in self._origins:
            raise Refused(HTTPStatus.FORBIDDEN, "this Origin is not in [till] origins of the configuration")
        return {"Access-Control-Allow-Origin": origin.strip(), "Vary": "Origin"}

    def _busy(self, request: Request, shared: Mapping[str, str]) -> Response:
        try:
            word = from_json(request.body)
        except Unclear as unclear:
            raise Refused(HTTPStatus.BAD_REQUEST, str(unclear), shared) from None
        if self._speakers.say("http", word) is None:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "there are too many sources already", shared)
        return Response(HTTPStatus.NO_CONTENT, headers=shared)


class WebTalk:
    """One connection's bytes: a request in, an answer out."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._reader = RequestReader()

    def feed(self, data: bytes) -> bytes | Wants | None:
        """The answer, what it needs, or None while the request is not whole."""
        try:
            request = self._reader.feed(data)
            if request is None:
                return None
            answer = self._web.answer(request)
        except Refused as refused:
            return _refusal(refused).encode()
        return answer.encode() if isinstance(answer, Response) else _told(answer)


def _told(answer: Callable[[View], Response]) -> Wants:
    def tell(view: View) -> bytes:
        try:
            return answer(view).encode()
        except Refused as refused:
            return _refusal(refused).encode()

    return tell


def _refusal(refused: Refused) -> Response:
    return said(refused.status, {"error": str(refused)}, refused.headers)


def _only(request: Request, method: str, shared: Mapping[str, str]) -> None:
    if request.method != method:
        allow = {"Allow": f"{method}, OPTIONS"}
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} takes {method}", {**shared, **allow})


def _preflight(request: Request) -> dict[str, str]:
    """The answer to a browser that asks before it asks (Fetch standard; Private Network Access)."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": str(_PREFLIGHT_LIVES_S),
    }
    if "Access-Control-Request-Private-Network" in request.headers:
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return allowed


def _state(view: View, device: str | None, shared: Mapping[str, str]) -> Response:
    if view is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, shown.BEHIND, shared)
    state = shown.state(view)
    if device is None:
        return said(HTTPStatus.OK, state, shared)
    printer = state["printers"].get(device)
    if printer is None:
        raise Refused(HTTPStatus.NOT_FOUND, "no printer of that id was looked at", shared)
    return said(HTTPStatus.OK, printer, shared)
