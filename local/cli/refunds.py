"""`orders refund`: gives money back, asks again for a refund that failed, or says that cash was handed out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from local.cli.client import Api, url_of
from local.cli.lookup import order_path
from local.cli.rendering import paint, print_json, print_order
from local.people import SUPPORT
from orders.domain.money import MINOR_UNITS, USUAL_MINOR_UNITS


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds the command."""
    command = remote(commands, "refund", "give money of an order back, as a whole or in part", run)
    command.add_argument("order_id", metavar="ORDER", help="its id, or the beginning or end of it")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--amount", help="in the order's currency, such as 5.00")
    what.add_argument("--item", action="append", type=pieces, metavar="LINE=QTY", help="pieces of a line; may be repeated")
    what.add_argument("--retry", metavar="REFUND", help="ask the provider again for this refund, which has failed")
    what.add_argument("--complete", metavar="REFUND", help="the cash of this refund was handed out")
    command.add_argument("--reason", default="By hand", help="goes on the order's history (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Makes the request, and prints the order."""
    api = Api(url_of(options.url)).signed_in(SUPPORT.subject, SUPPORT.groups)
    path = order_path(options.order_id)
    for verb in ("retry", "complete"):
        if refund_id := getattr(options, verb):
            found = api.call("POST", f"{path}/refunds/{quote(refund_id, safe='')}/{verb}", {})
            break
    else:
        found = api.call("POST", f"{path}/refunds", {"reason": options.reason, **_wanted(options, api, path)})
    if options.json or "order" not in found:
        print_json(found)
    else:
        print_order(f"{paint(found['order']['order_id'], 'bold')}  ", found)
    return 0


def _wanted(options: argparse.Namespace, api: Api, path: str) -> Mapping[str, Any]:
    if options.item:
        return {"items": [{"line_id": line_id, "quantity": quantity} for line_id, quantity in options.item]}
    if options.amount is None:
        return {}
    currency = api.call("GET", path)["order"]["total"]["currency"]
    return {"amount": {"amount": minor_units(options.amount, currency), "currency": currency}}


def minor_units(text: str, currency: str) -> int:
    """An amount as people write it, in minor units; stops where it is none, or has more digits than its currency."""
    try:
        scaled = Decimal(text).scaleb(MINOR_UNITS.get(currency, USUAL_MINOR_UNITS))
    except InvalidOperation:
        raise SystemExit(f"orders: {text!r} is not an amount, such as 5.00") from None
    if not scaled.is_finite() or scaled != int(scaled):
        raise SystemExit(f"orders: {text!r} is not an amount of {currency}")
    return int(scaled)


def pieces(text: str) -> tuple[str, int]:
    """``LINE=QTY``."""
    line_id, given, quantity = text.partition("=")
    if not line_id or not given or not quantity.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not LINE=QTY, such as 1=2")
    return line_id, int(quantity)
