"""The commands on orders of a running stack: place, find, show and change them."""

from __future__ import annotations

import argparse
import webbrowser
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from local.cli.client import Api, url_of
from local.cli.lookup import order_path
from local.cli.rendering import money, paint, print_json, print_order, print_table
from local.cli.serving import EXAMPLE
from local.people import CUSTOMER, SUPPORT, Person

ITEMS_HELP = "default: prod-001:2 prod-002:1; an id that itself ends with a colon and digits needs its :N"
ACTIONS = {
    "cancel": "cancel an order",
    "approve": "approve an order in review",
    "reject": "reject one",
    "release": "let an order that is on hold go on",
    "delivered": "say that an order's parcels have arrived",
}
"""The routes whose body is at most a reason, by what they do."""

Run = Callable[[argparse.Namespace], int]
Remote = Callable[..., argparse.ArgumentParser]


def register(commands: Any, remote: Remote) -> None:
    """Adds the commands."""
    command = remote(commands, "place", "place an order", place)
    command.add_argument("items", nargs="*", metavar="PRODUCT[:N]", help=ITEMS_HELP)
    command.add_argument("--customer", default=CUSTOMER.subject, help="the customer's id (default %(default)s)")
    command.add_argument("--token", default="tok_ok", help="payment token: tok_ok, tok_declined, tok_flaky_2, ...")
    command.add_argument("--method", default="CREDIT_CARD", help="default %(default)s; CASH_ON_DELIVERY, ...")
    command.add_argument("--review", action="store_true", help="ask for a manual review")

    command = remote(commands, "list", "list orders, newest first", list_orders)
    command.add_argument("--status", help="only those of a status")
    command.add_argument("--customer", help="only those of a customer")
    command.add_argument("--overdue", action="store_true", help="only those that staff should look at")
    command.add_argument("--limit", type=int, default=20, metavar="N", help="how many, 1 to 100 (default %(default)s)")

    _order_command(commands, remote, "show", "show an order with its trail, payment and parcels", show)
    _order_command(commands, remote, "sync", "restart an order's lost workflow, and apply missed scans", _change("sync"))
    _order_command(commands, remote, "open", "open an order's tracking page in the browser", open_page)
    for action, does in ACTIONS.items():
        _order_command(commands, remote, action, does, _change(action)).add_argument("--reason")

    command = _order_command(
        commands, remote, "hold", "put an order on hold: nothing is charged or handed over", _change("hold")
    )
    command.add_argument("reason", help="why, for staff")

    command = _order_command(commands, remote, "address", "change where an order goes, until it is handed over", change_address)
    command.add_argument(
        "fields",
        nargs="+",
        type=_field,
        metavar="FIELD=VALUE",
        help="name, line1, city, postal_code, country, ...; the others stay",
    )


def _order_command(commands: Any, remote: Remote, name: str, does: str, run: Run) -> argparse.ArgumentParser:
    command = remote(commands, name, does, run)
    command.add_argument("order_id", metavar="ORDER", help="its id, or the beginning or end of it")
    return command


def _as(options: argparse.Namespace, person: Person) -> Api:
    return Api(url_of(options.url)).signed_in(person.subject, person.groups)


def place(options: argparse.Namespace) -> int:
    """Places an order as its customer."""
    items = [_item(text) for text in options.items or ["prod-001:2", "prod-002:1"]]
    api = Api(url_of(options.url)).signed_in(options.customer)
    body = {
        **EXAMPLE,
        "items": [{"product_id": product, "quantity": quantity} for product, quantity in items],
        "payment": {"method": options.method, **({"token": options.token} if options.method != "CASH_ON_DELIVERY" else {})},
        **({"require_approval": True} if options.review else {}),
    }
    return tell(options, api, api.call("POST", "/orders", body))


def show(options: argparse.Namespace) -> int:
    """Shows an order as staff see it."""
    api, path = _as(options, SUPPORT), order_path(options.order_id)
    found = api.call("GET", path)
    history = api.call("GET", f"{path}/history")
    if options.json:
        print_json({**found, "status": api.call("GET", f"{path}/status"), "history": history})
        return 0
    print_order(f"{paint(options.order_id, 'bold')}  ", found, history["history"], _links(api, found))
    return 0


def list_orders(options: argparse.Namespace) -> int:
    """Lists orders as staff see them."""
    wanted = {
        "limit": str(options.limit),
        "status": options.status,
        "customer_id": options.customer,
        "overdue": "true" if options.overdue else None,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    page = _as(options, SUPPORT).call("GET", f"/orders?{urlencode(asked)}")
    if options.json:
        print_json(page)
        return 0
    orders = page["orders"]
    if not orders:
        print("No orders.")
        return 0
    rows = [[one["order_id"], one["status"], money(one["total"]), one["customer_id"], one["created_at"]] for one in orders]
    print_table(["Order", "Status", "Total", "Customer", "Placed"], rows, [one["status"] for one in orders])
    if page["next_cursor"]:
        print(paint(f"There are more than these {len(orders)}: --limit, --status, --customer.", "dim"))
    return 0


def open_page(options: argparse.Namespace) -> int:
    """Opens the tracking page, and prints its address."""
    api = _as(options, SUPPORT)
    address = f"{api.url}{api.call('GET', order_path(options.order_id))['tracking_url']}"
    print(address)
    webbrowser.open(address)
    return 0


def change_address(options: argparse.Namespace) -> int:
    """Changes the named fields of the shipping address."""
    api, path = _as(options, SUPPORT), order_path(options.order_id)
    present = api.call("GET", path)["order"]["shipping_address"] or {}
    wanted = {name: value for name, value in (present | dict(options.fields)).items() if value}
    return tell(options, api, api.call("PUT", f"{path}/address", wanted))


def _change(action: str) -> Run:
    def run(options: argparse.Namespace) -> int:
        reason = getattr(options, "reason", None)
        api = _as(options, SUPPORT)
        answer = api.call("POST", f"{order_path(options.order_id)}/{action}", {"reason": reason} if reason else {})
        return tell(options, api, answer)

    return run


def tell(options: argparse.Namespace, api: Api, found: Mapping[str, Any]) -> int:
    """What an order is after a change."""
    if options.json or "order" not in found:
        print_json(found)
    else:
        print_order(f"{paint(found['order']['order_id'], 'bold')}  ", found, links=_links(api, found))
    return 0


def _links(api: Api, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    desk = f"{api.url}/admin#/order/{quote(found['order']['order_id'], safe='')}"
    tracking = [("Tracking", f"{api.url}{found['tracking_url']}")] if found.get("tracking_url") else []
    return [*tracking, ("Desk", desk)]


def _item(text: str) -> tuple[str, int]:
    product, _, quantity = text.rpartition(":")
    return (product, int(quantity)) if product and quantity.isdecimal() else (text, 1)


def _field(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not name or not given:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE, such as city=Leeds")
    return name, value
