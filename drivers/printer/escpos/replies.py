"""What the printer says, taken apart and given to whom it belongs: the till, the agent, both. Pure."""

from __future__ import annotations

import math

from drivers.printer.escpos.automatic import AutomaticStatus
from drivers.printer.escpos.claims import Claims, Owner
from drivers.printer.escpos.commands import Kind
from drivers.printer.escpos.consts import BLOCK_PROCESS, PROCESS_DONE
from drivers.printer.escpos.splitter import Form, Piece, Splitter

GIVEN_MOST = 16384  #: bytes that one of them has not taken yet; more is dropped

_KINDS = {Form.STATUS: Kind.STATUS, Form.SHORT: Kind.SHORT, Form.BLOCK: Kind.BLOCK}
_PROCESS_HEAD = bytes((BLOCK_PROCESS, PROCESS_DONE))


class Replies:
    """Both sides' mail, by the questions on their way and by who set automatic status."""

    def __init__(self, claims: Claims, automatic: AutomaticStatus) -> None:
        self.unclaimed = 0  #: bytes that were nobody's answer; the till got them
        self.flush_s = math.inf  #: an unfinished answer is passed on then
        self._claims = claims
        self._automatic = automatic
        self._splitter = Splitter()
        self._given = {Owner.TILL: bytearray(), Owner.AGENT: bytearray()}

    def feed(self, data: bytes, now_s: float, patience_s: float) -> None:
        """The printer said this; the rest of an unfinished answer may take `patience_s`."""
        for piece in self._splitter.feed(data):
            self._route(piece, now_s)
        self.flush_s = now_s + patience_s if self._splitter.unfinished else math.inf

    def flush(self, now_s: float) -> None:
        """The rest of an unfinished answer did not come."""
        self.flush_s = math.inf
        for piece in self._splitter.flush():
            self._route(piece, now_s)

    def take(self, owner: Owner) -> bytes:
        """What is for this one, once."""
        data = bytes(self._given[owner])
        self._given[owner].clear()
        return data

    def _route(self, piece: Piece, now_s: float) -> None:
        if piece.form is Form.FLOW:
            self._give(Owner.TILL, piece.raw)
            return
        owner = Owner.TILL if self._claims.heard(now_s) else Owner.NOBODY
        if piece.form is not Form.FRAME:
            owner |= self._owner(piece, now_s)
        elif self._automatic.frame(piece.raw):
            owner |= Owner.TILL | Owner.AGENT
        else:
            owner |= Owner.AGENT
        self._give(owner, piece.raw)

    def _owner(self, piece: Piece, now_s: float) -> Owner:
        done = piece.form is Form.BLOCK and piece.raw.startswith(_PROCESS_HEAD)
        kind = Kind.PROCESS if done else _KINDS.get(piece.form)
        owner = self._claims.match(kind, piece.raw, now_s) if kind is not None else None
        if owner is not None:
            return owner
        self.unclaimed += len(piece.raw)
        noise = piece.form in (Form.SHORT, Form.LOOSE) and self._claims.agent_waits()
        return Owner.TILL | Owner.AGENT if noise else Owner.TILL

    def _give(self, owner: Owner, raw: bytes) -> None:
        for who, mail in self._given.items():
            if owner & who and len(mail) + len(raw) <= GIVEN_MOST:
                mail.extend(raw)
