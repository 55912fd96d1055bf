"""`orders pay`: completes a payment that waits, as its customer would at the simulated provider, which then sends its event."""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from local.cli import bus
from local.cli.client import Api, url_of
from local.people import SUPPORT
from orders.domain.events import PAYMENT_CONFIRMED, PAYMENT_FAILED
from orders.domain.statuses import UNSETTLED

SOURCE = "simulated-provider"


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "pay", "complete a payment that waits, at the simulated provider", pay)
    command.add_argument("order_id", metavar="ORDER_ID")
    command.add_argument("--decline", action="store_true", help="refuse it instead, as the customer's bank would")


def event(order_id: str, payment: Mapping[str, Any], *, declined: bool) -> dict[str, Any]:
    """What travels on the bus (docs/behavior.md#payment-events)."""
    said = {"reason": "The customer's bank refused the payment."} if declined else {"amount": payment["amount"]}
    return {
        "event_type": PAYMENT_FAILED if declined else PAYMENT_CONFIRMED,
        "event_id": str(uuid.uuid4()),
        "order_id": order_id,
        "payment_id": payment["payment_id"],
        **said,
    }


def pay(options: argparse.Namespace) -> int:
    api = Api(url_of(options.url)).signed_in(SUPPORT.subject, SUPPORT.groups)
    payment = api.call("GET", f"/orders/{quote(options.order_id, safe='')}")["payment"]
    if payment is None:
        raise SystemExit("orders: nothing has been asked of the payment provider for this order")
    if payment["status"] not in UNSETTLED:
        raise SystemExit(f"orders: this payment does not wait: it is {payment['status']}")
    detail = event(options.order_id, payment, declined=options.decline)
    bus.put(options.url, SOURCE, detail["event_type"], detail)
    print(json.dumps({"put": detail}, indent=2))
    return 0
