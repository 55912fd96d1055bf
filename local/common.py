"""What the rooms of the local stack share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = Any  # a JSON value: the recursive type reads worse than it protects

# The engine asks for a region everywhere; nothing ever leaves loopback.
REGION = "us-east-1"


class NotReady(RuntimeError):
    """The stack could not be brought up."""


def iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
