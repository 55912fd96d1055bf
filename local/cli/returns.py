"""`orders return`: asks for returns as an order's customer, and decides on and receives them as staff."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from local.cli.client import Api, url_of
from local.cli.lookup import order_path
from local.cli.orders import tell
from local.people import SUPPORT
from orders.domain.statuses import OPEN_RETURNS, Condition

DOES = {
    "request": "ask to send back some of an order, or all of it, as its customer",
    "approve": "approve a return",
    "decline": "decline one",
    "cancel": "cancel one of which nothing has come back",
    "receive": "receive what came back of one: it is refunded, and restocked if it can be sold",
    "take": "take a whole delivered order back now, without asking",
}
PIECES_HELP = "so many pieces of a line of the order, damaged ones with :damaged behind it (default: all of it)"
_PIECES = re.compile(r"(?P<line_id>[^=]+)=(?P<quantity>\d+)(:(?P<condition>damaged|resellable))?")


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the command."""
    command = remote(commands, "return", "ask for a return, approve, decline, cancel or receive it", send)
    command.add_argument("what", choices=list(DOES), help="; ".join(f"{name}: {does}" for name, does in DOES.items()))
    command.add_argument("order_id", metavar="ORDER", help="its id, or the beginning or end of it")
    command.add_argument("pieces", nargs="*", type=_pieces, metavar="LINE=N[:damaged]", help=PIECES_HELP)
    command.add_argument("--return", dest="return_id", metavar="RETURN", help="which return (default: the latest that is open)")
    command.add_argument("--reason")
    command.add_argument("--final", action="store_true", help="with receive: nothing more of it comes back")


def _pieces(text: str) -> Mapping[str, Any]:
    found = _PIECES.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not LINE=N, such as 1=2 or 1=2:damaged")
    return {**found.groupdict(), "quantity": int(found["quantity"])}


def send(options: argparse.Namespace) -> int:
    """Makes the request, and prints the order as it is then."""
    staff = Api(url_of(options.url)).signed_in(SUPPORT.subject, SUPPORT.groups)
    path = order_path(options.order_id)
    found = staff.call("GET", path)
    reason = {"reason": options.reason} if options.reason else {}
    if options.what == "request":
        answer = _request(Api(staff.url).signed_in(found["order"]["customer_id"]), path, options.pieces, reason)
    elif options.what == "take":
        answer = staff.call("POST", f"{path}/return", reason)
    else:
        one = _chosen(found["returns"], options.return_id)
        body = receipt(one, options.pieces, final=options.final) if options.what == "receive" else reason
        answer = staff.call("POST", f"{path}/returns/{quote(one['return_id'], safe='')}/{options.what}", body)
    return tell(options, staff, answer)


def _request(customer: Api, path: str, pieces: Sequence[Mapping[str, Any]], reason: Mapping[str, str]) -> Any:
    if not pieces:
        return customer.call("POST", f"{path}/return", reason)
    items = [{"line_id": one["line_id"], "quantity": one["quantity"], **reason} for one in pieces]
    return customer.call("POST", f"{path}/returns", {"items": items})


def _chosen(returns: Sequence[Mapping[str, Any]], return_id: str | None) -> Mapping[str, Any]:
    chosen = [one for one in returns if one["return_id"] == return_id or (return_id is None and one["status"] in OPEN_RETURNS)]
    if not chosen:
        raise SystemExit("orders: the order has no such return" if return_id else "orders: the order has no open return")
    return chosen[-1]


def receipt(one: Mapping[str, Any], pieces: Sequence[Mapping[str, Any]], *, final: bool) -> dict[str, Any]:
    """What is received: the pieces that are named, or all that is still to come, unharmed."""
    if pieces or final:
        items = [{**entry, "condition": entry["condition"] or Condition.RESELLABLE} for entry in pieces]
    else:
        items = [
            {"line_id": item["line_id"], "quantity": left, "condition": Condition.RESELLABLE}
            for item in one["items"]
            if (left := item["quantity"] - sum(part["quantity"] for part in item["received"]))
        ]
    return {"items": items, "final": True} if final else {"items": items}
