"""Signatures over a request's raw bytes, compared in constant time, before anything in it is parsed."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from orders.domain.errors import Unauthenticated

TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, in both directions: a recorded request cannot be replayed later."""

Headers = Mapping[str, str]


def refusal() -> Unauthenticated:
    """What is said of every signature that does not match, whatever is wrong with it."""
    return Unauthenticated("The signature does not match.")


def same(expected: str, given: str) -> bool:
    """Whether two texts are equal, in constant time."""
    return hmac.compare_digest(expected.encode(), sent(given))


def sent(header: str) -> bytes:
    """A header's bytes: invalid text cannot match, and must not raise either."""
    return header.encode("utf-8", "surrogatepass")


def check_time(text: str, now: datetime) -> None:
    """Raises ``Unauthenticated`` unless the signed time, in seconds since 1970, is about now."""
    if not re.fullmatch(r"\d{1,12}", text) or abs(now.timestamp() - int(text)) > TOLERANCE_SECONDS:
        raise Unauthenticated("The signature is too old, or from the future.")


def check_standard(body: bytes, headers: Headers, secret: str, now: datetime) -> None:
    """Standard Webhooks: any of the signatures is enough, as there are several while a secret rotates."""
    message, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    encoded = secret.removeprefix("whsec_")
    if not encoded:
        raise ValueError("the secret is empty")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    signed = sent(message) + b"." + sent(at) + b"." + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    if not message or not any(same(expected, one) for one in headers.get("webhook-signature", "").split(" ")):
        raise refusal()
    check_time(at, now)


def check_stripe(body: bytes, headers: Headers, secrets: Iterable[str], now: datetime) -> None:
    """``Stripe-Signature: t=…,v1=…``: any ``v1`` by any of our secrets is enough, as each may be several."""
    parts = [part.partition("=") for part in headers.get("stripe-signature", "").split(",")]
    at = next((value for name, _, value in parts if name.strip() == "t"), "")
    given = [value for name, _, value in parts if name.strip() == "v1"]
    digests = [hmac.new(secret.encode(), sent(at) + b"." + body, hashlib.sha256).hexdigest() for secret in secrets]
    if not digests:
        raise ValueError("the secret is empty")
    if not any(same(digest, one) for digest in digests for one in given):
        raise refusal()
    check_time(at, now)
