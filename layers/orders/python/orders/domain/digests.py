"""What an idempotency key was used with: digests of a request, to recognize a repetition."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orders.domain import legacy
from orders.domain.identifiers import CustomerId, OrderId, fingerprint


@dataclass(frozen=True, slots=True)
class RequestDigest:
    """A request's digests. ``sent`` is of the body as the caller sent it; ``fingerprint`` is what edition one compares.

    Two requests are the same if either is equal: a member that a later release adds, or gives another default, changes
    neither digest of a body that does not have it.
    """

    sent: str | None
    fingerprint: str

    def is_of_same_request(self, other: "RequestDigest") -> bool:
        """Whether both are of one request, whichever releases made them."""
        return (self.sent is not None and self.sent == other.sent) or self.fingerprint == other.fingerprint


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What an idempotency key was first used for."""

    customer_id: CustomerId
    key: str
    digest: RequestDigest
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A request of one caller to one path under an idempotency key, by digests: neither the key nor the body is kept."""

    caller: str
    place: str
    """Of the path and the key: a key belongs to its path."""
    sent: str
    """Of the body."""

    def id_of(self, prefix: str, attempt: int) -> str:
        """An id for what the call makes, the same on each repetition; what is tried again is another thing."""
        digest = hashlib.sha256(f"{self.caller}\n{self.place}\n{attempt}".encode()).digest()
        return f"{prefix}-{UUID(bytes=digest[:16])}"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What a call under an idempotency key led to: the id of what it changed or made, and the digest of a secret shown."""

    call: KeyedCall
    result: str
    shown: str | None = None


def of_call(caller: str, path: str, key: str, body: Any) -> KeyedCall:
    """The call of a caller with this key and this body, as parsed JSON."""
    sent = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return KeyedCall(caller, fingerprint(f"{path}\n{key}"), fingerprint(sent))


def of_order(body: Mapping[str, Any]) -> RequestDigest:
    """The digests of a valid body of ``POST /orders``, as parsed JSON."""
    sent = fingerprint(json.dumps(body, sort_keys=True, separators=(",", ":")))
    return RequestDigest(sent, legacy.digest_of_order(body) or sent)
