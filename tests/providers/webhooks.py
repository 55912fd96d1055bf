"""Stripe's signature, as its sender makes it."""

import hashlib
import hmac
import time


def signature(body: str, *secrets: str, at: float | None = None) -> str:
    """``Stripe-Signature`` of a body, by each of these secrets; ``at`` is the signed time, now without one."""
    seconds = int(time.time() if at is None else at)
    digests = [hmac.new(one.encode(), f"{seconds}.{body}".encode(), hashlib.sha256).hexdigest() for one in secrets]
    return ",".join([f"t={seconds}", *(f"v1={digest}" for digest in digests), "v0=ignored"])
