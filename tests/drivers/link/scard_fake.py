"""pyscard's lowest layer with one reader in memory."""

from __future__ import annotations

RESTARTED, DENIED = 0x8010001E, 0x8010006A
SHARING = 0x8010000B
NAME = "Gemalto PC Twin 00 00"


class FakeScard:
    """Notes each connect as (reader, share mode, protocols); `fails`: codes of the next status questions."""

    def __init__(self, *, exclusive: bool = False) -> None:
        self.exclusive = exclusive
        self.contexts = 0
        self.connects: list[tuple[str, int, int]] = []
        self.disconnects: list[int] = []
        self.fails: list[int] = []

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:  # noqa: N802 - pyscard's
        assert scope == 2
        self.contexts += 1
        return 0, self.contexts

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802 - pyscard's
        return 0

    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802 - pyscard's
        return 0, [NAME]

    def SCardGetStatusChange(  # noqa: N802 - pyscard's
        self, context: int, timeout: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        assert timeout == 0, "it must not wait"
        if self.fails:
            return self.fails.pop(0), []
        return 0, [(NAME, 0x20 | 0x80 * self.exclusive | 0x10000, [0x3B] * 9)]

    def SCardConnect(  # noqa: N802 - pyscard's
        self, context: int, reader: str, share: int, protocols: int
    ) -> tuple[int, int, int]:
        if self.exclusive:
            return SHARING, 0, 0
        self.connects.append((reader, share, protocols))
        return 0, 7, 0

    def SCardGetAttrib(self, card: int, attribute: int) -> tuple[int, list[int]]:  # noqa: N802 - pyscard's
        told = {0x10100: b"Gemalto\0", 0x10102: bytes((0x59, 0x01, 0x02, 0x01))}
        return (0, list(told[attribute])) if attribute in told else (0x80100016, [])

    def SCardStatus(self, card: int) -> tuple[int, str, int, int, list[int]]:  # noqa: N802 - pyscard's
        return 0, NAME, 0x20, 1, [0x3B] * 9

    def SCardDisconnect(self, card: int, disposition: int) -> int:  # noqa: N802 - pyscard's
        self.disconnects.append(disposition)
        return 0

    def SCardGetErrorMessage(self, code: int) -> str:  # noqa: N802 - pyscard's
        return f"code {code:#x}."
