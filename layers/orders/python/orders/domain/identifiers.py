"""Identifiers: their types, and how new ones are made from a time and randomness that arrive as arguments."""

import hashlib
from datetime import datetime
from typing import NewType
from uuid import UUID

OrderId = NewType("OrderId", str)
"""An order's id, ours or the one its client gave it."""

CustomerId = NewType("CustomerId", str)
"""The ``sub`` of the account that an order belongs to."""

TrackingNumber = NewType("TrackingNumber", str)
"""A carrier's number for one parcel, as it was given to us; two are compared by ``comparable``.

Rows are stored by it too: it is never an order's id, nor the other way round.
"""


def comparable(number: TrackingNumber) -> str:
    """A tracking number as it is compared and stored by: people and carriers write it with spaces, and in either case."""
    return "".join(number.split()).upper()


def uuid7(now: datetime, random: bytes) -> str:
    """A UUIDv7 (RFC 9562) for a moment and 10 random bytes: sorts by time, unguessable in the rest."""
    milliseconds = int(now.timestamp() * 1000)
    number = milliseconds << 80 | int.from_bytes(random[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


def fingerprint(text: str) -> str:
    """A short stable digest, to compare two texts."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
