"""Lists come in pages: where one begins, and the signed cursor to the next."""

from orders.services import keys
from orders.web import tokens
from orders.web.handling import Request


def place(request: Request, scope: str) -> str | None:
    """The place that the request's cursor leads to; ``None`` for a first page.

    Raises:
        InvalidArgument: the cursor is forged, or belongs to a list of another scope.
    """
    cursor = request.query.get("cursor")
    return tokens.place_of(cursor, scope, keys.signing_key()) if cursor is not None else None


def cursor(following: str | None, scope: str) -> str | None:
    """The cursor to a place of one list; ``None`` where there is no next page."""
    return tokens.cursor(following, scope, keys.signing_key()) if following is not None else None
