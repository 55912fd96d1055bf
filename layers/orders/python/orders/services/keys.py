"""The key that signs cursors and tracking links."""

from orders.adapters import secret_store


def signing_key() -> bytes:
    """The key of list cursors and tracking links."""
    return secret_store.signing_key()
