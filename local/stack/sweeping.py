"""A sweep over every open order, in as many invocations as its time-out and Step Functions' quota require."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PATIENCE = 5
"""The invocations in a row without progress after which it ends: throttling for that long needs a person."""


class SweepTotals:
    """The result of the invocations so far, and where the next one continues."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {"looked_at": 0, "restarted": [], "failed": [], "throttled": 0}
        self.where: dict[str, str] = {}
        self.goes_on = True
        self._no_further = 0

    def add(self, answer: Mapping[str, Any]) -> None:
        """Adds the result of one invocation."""
        if "error" in answer:
            self._end(str(answer["error"]))
            return
        for name in self.result:
            self.result[name] += answer[name]
        self._no_further = 0 if answer["looked_at"] else self._no_further + 1
        self.goes_on = answer["cursor"] is not None
        self.where = {"cursor": answer["cursor"]} if self.goes_on else {}
        if self._no_further >= PATIENCE:
            self._end("The workflow service or the table stays busy; try again later.")

    def _end(self, error: str) -> None:
        self.result["error"] = error
        self.goes_on = False
