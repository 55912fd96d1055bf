"""`orders warehouse`: puts a fulfillment's event on a running stack's bus, as the warehouse's system would."""

from __future__ import annotations

import argparse
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.cli import bus
from orders.domain.events import FULFILLMENT_STATUS_CHANGED
from orders.domain.order import timestamp
from orders.domain.statuses import FULFILLMENT_MEANS

SOURCE = "warehouse"
STATUSES = tuple(FULFILLMENT_MEANS)


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "warehouse", "put a fulfillment's event on the bus, as the warehouse would", warehouse)
    command.add_argument("order_id", metavar="ORDER_ID")
    command.add_argument("status", type=str.lower, metavar="STATUS", help=f"{', '.join(STATUSES)}; any other is recorded only")
    command.add_argument(
        "--item",
        action="append",
        type=item,
        metavar="LINE=N",
        help="the pieces of a line that the event is about; may be repeated. Without any it is about all that is left",
    )
    command.add_argument("--fulfillment-id", metavar="ID", help="default: ful-ORDER_ID")
    command.add_argument("--event-id", metavar="ID", help="the event's id; send one twice to see that it counts once")
    command.add_argument("--carrier", metavar="NAME", help="the parcel's carrier")
    command.add_argument("--tracking-number", metavar="NUMBER", help="the carrier's number of the parcel")


def item(text: str) -> tuple[str, int]:
    """A line of the order and how many pieces of it."""
    found = re.fullmatch(r"([^=]+)=([1-9]\d{0,8})", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not LINE=N, such as 1=2")
    return found[1], int(found[2])


def event(options: argparse.Namespace, now: datetime) -> dict[str, Any]:
    """What travels on the bus (docs/fulfillment-events.md)."""
    told = {"carrier": options.carrier, "tracking_number": options.tracking_number}
    metadata = {name: value for name, value in told.items() if value}
    items = [{"line_id": line, "quantity": quantity} for line, quantity in options.item or []]
    return {
        "event_type": FULFILLMENT_STATUS_CHANGED,
        "event_id": options.event_id or str(uuid.uuid4()),
        "fulfillment_id": options.fulfillment_id or f"ful-{options.order_id}",
        "order_id": options.order_id,
        "new_status": options.status,
        "timestamp": timestamp(now),
        **({"items": items} if items else {}),
        **({"metadata": metadata} if metadata else {}),
    }


def warehouse(options: argparse.Namespace) -> int:
    detail = event(options, datetime.now(UTC))
    bus.put(options.url, SOURCE, FULFILLMENT_STATUS_CHANGED, detail)
    print(json.dumps({"put": detail}, indent=2))
    return 0
