"""Finds an order by the beginning or the end of its id, as people copy them."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from local.cli.client import Api, Refused

PAGES, PAGE = 10, 100
"""How far back the orders are searched, newest first."""
SHORTEST = 4


class Ambiguous(Exception):
    """Several orders are meant by these few letters."""


def order_path(order_id: str) -> str:
    """The path of an order, whatever letters its id has."""
    return f"/orders/{quote(order_id, safe='')}"


def order_id(staff: Api, given: str) -> str:
    """The id of the only order whose id is, begins or ends with what was given; what was given where there is none.

    Raises:
        Ambiguous: there are several.
    """
    if _is_there(staff, given) or len(given) < SHORTEST:
        return given
    found = _matching(staff, given)
    if len(found) > 1:
        listed = ", ".join(found[:5])
        raise Ambiguous(f"{given} is not one order but {len(found)}: {listed}{', ...' if len(found) > 5 else ''}")
    return found[0] if found else given


def _is_there(staff: Api, given: str) -> bool:
    try:
        staff.call("GET", order_path(given))
    except Refused as refusal:
        if refusal.status not in (400, 404):
            raise
        return False
    return True


def _matching(staff: Api, given: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    for _ in range(PAGES):
        asked = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        page = staff.call("GET", f"/orders?{urlencode(asked)}")
        ids = [order["order_id"] for order in page["orders"]]
        found += [one for one in ids if one.startswith(given) or one.endswith(given)]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found
