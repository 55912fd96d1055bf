"""The key that signs what clients are handed and bring back."""

from orders.adapters import secrets


def signing_key() -> bytes:
    """The key of list cursors and tracking links."""
    return secrets.signing_key()
