"""What happened, as one digest; and as lines, where somebody wants to read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


class History:
    """Takes down everything that happens, in its order."""

    def __init__(self, *, kept: bool = False) -> None:
        self._digest = hashlib.sha256()
        self._pending: list[str] = []
        self.lines: list[str] | None = [] if kept else None
        self.length = 0

    def add(self, line: str) -> None:
        """One thing that happened."""
        self._pending.append(line)
        if len(self._pending) >= 1000:
            self._write()

    def _write(self) -> None:
        self.length += len(self._pending)
        self._digest.update("\n".join([*self._pending, ""]).encode("utf-8", "surrogatepass"))
        if self.lines is not None:
            self.lines += self._pending
        self._pending.clear()

    def end_with(self, rows: Iterable[bytes]) -> None:
        """What the history leaves behind: part of the digest, and of no listing."""
        self._write()
        for row in rows:
            self._digest.update(row)

    def hexdigest(self) -> str:
        """The digest of all of it so far."""
        self._write()
        return self._digest.hexdigest()
