"""A JSON value beside its text, and the error that a state ends with."""

from __future__ import annotations

from dataclasses import dataclass

from local.common import Json
from local.fastpath import fast_json

MAX_PAYLOAD = 262_144  # AWS's limit of a state's input or output, in UTF-8 bytes


class StateError(Exception):
    """A named error, as Retry and Catch see it."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def dumps(value: Json) -> str:
    return fast_json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@dataclass(slots=True)
class Doc:
    """A JSON value beside its text, so that what passes through unchanged is serialised once."""

    value: Json
    text: str

    @classmethod
    def of(cls, value: Json) -> Doc:
        text = dumps(value)
        if len(text) > MAX_PAYLOAD // 4 and len(text.encode()) > MAX_PAYLOAD:
            raise StateError("States.DataLimitExceeded", "The state's result is larger than the limit of 262144 bytes.")
        return cls(value, text)
