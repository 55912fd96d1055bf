"""The result of an invocation."""

from __future__ import annotations

from dataclasses import dataclass

from local.common import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What a Lambda function returned; `failed` is the X-Amz-Function-Error header."""

    payload: Json
    failed: bool = False

    def failure(self) -> str:
        """A failure in one line."""
        known = self.payload if isinstance(self.payload, dict) else {}
        return f"{known.get('errorType')}: {known.get('errorMessage')}"
