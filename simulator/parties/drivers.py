"""The warehouse and the bank, which report on the bus, and the carrier, which calls the product's own webhook with a signature.

Promised, and kept here (docs/behavior.md#fulfillment-events): reports come at least once, late, and in any order.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from orders.domain.events import FULFILLMENT_STATUS_CHANGED, PAYMENT_CONFIRMED, PAYMENT_FAILED
from simulator.loop import START

if TYPE_CHECKING:
    from simulator.parties.people import Wish
    from simulator.world import World

Json = Any

WAREHOUSE = ("planning", "picked", "ready", "shipped", "shipped", "completed", "completed", "cancelled", "repacked")
SCANS = (
    ("IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED"),
    ("IN_TRANSIT", "ATTEMPTED", "AVAILABLE_FOR_PICKUP", "DELIVERED"),
    ("IN_TRANSIT", "LOST"),
    ("IN_TRANSIT", "RETURNING", "RETURNED_TO_SENDER"),
    ("IN_TRANSIT", "RETURNING", "DELIVERED"),
    ("DELIVERED",),
)
SUPPORT = ("sue", ("support",))


def warehouse(world: World, wish: Wish) -> None:
    """Some events of the order's fulfillment, at moments of their own."""
    dice = world.dice
    for number in range(1 + dice.below(4)):
        status, at = WAREHOUSE[dice.below(len(WAREHOUSE))], dice.uniform(0, 60)
        world.people.later(at, partial(_tell, world, wish, number, status))


def _tell(world: World, wish: Wish, number: int, status: str) -> None:
    """One event of the warehouse. Of another shop, now and then: nobody here has placed that order."""
    is_stranger = not wish.order_id or world.dice.happens("stranger", "OnFulfillmentEventFunction")
    order_id = f"x{wish.number}" if is_stranger else wish.order_id
    event_id = f"w-{order_id}-{number}"
    detail = {
        "event_type": FULFILLMENT_STATUS_CHANGED,
        "event_id": event_id,
        "fulfillment_id": f"f-{wish.number}",
        "order_id": order_id,
        "new_status": status,
    }
    world.people.reported.append((order_id, event_id))
    world.bus.put("warehouse", FULFILLMENT_STATUS_CHANGED, detail)


BANK = (((1, 200),),) * 5 + (((1, 150), (1, 400)), ((250, 500),), ())
"""When the bank reports a payment, between which seconds: once, twice, about when the wait for it is over, or never."""


def bank(world: World, wish: Wish) -> None:
    """What the customer's bank reports of a payment that waits for it: the same each time, now and then under one id."""
    dice = world.dice
    kind = PAYMENT_FAILED if dice.likely(0.15) else PAYMENT_CONFIRMED
    ids = (0, dice.below(2))
    for number, (first, last) in enumerate(BANK[dice.below(len(BANK))]):
        world.people.later(dice.uniform(first, last), partial(_pay, world, wish, ids[number], kind))


def _pay(world: World, wish: Wish, number: int, kind: str) -> None:
    if wish.order_id:
        event_id = f"b-{wish.order_id}-{number}"
        world.people.reported.append((wish.order_id, event_id))
        world.bus.put("bank", kind, {"event_id": event_id, "order_id": wish.order_id})


def carrier(world: World, wish: Wish, seconds: float = 60) -> None:
    """Finds out the parcel's number after a while, and reports what becomes of it."""

    def told(status: int, body: Json) -> None:
        shipment = body.get("shipment") if status == 200 else None
        if shipment and shipment.get("tracking_number"):
            report(world, shipment["tracking_number"], SCANS[world.dice.below(len(SCANS))], seconds, wish.order_id)

    def ask() -> None:
        if wish.order_id:
            world.people.ask("GET /orders/{id}", SUPPORT, {"id": wish.order_id}, None, told)

    world.people.later(world.dice.uniform(5, seconds), ask)


def report(world: World, tracking_number: str, statuses: tuple[str, ...], seconds: float, order_id: str) -> None:
    """Scans of one parcel, each sent when it happens or some time later; now and then staff ask for its order then."""
    dice, at, first = world.dice, 0.0, round(world.loop.now)
    for place, status in enumerate(statuses):
        at += dice.uniform(0, seconds / 3)
        scanned = datetime.fromtimestamp(START + world.loop.now + at, UTC).isoformat()
        is_stranger = dice.happens("stranger", "ReceiveCarrierEventFunction")
        event = {
            "event_id": f"{tracking_number}-{first}-{place}",
            "tracking_number": f"X{tracking_number}" if is_stranger else tracking_number,
            "status": status,
            "scanned_at": scanned,
        }
        late = dice.uniform(0, 60) if dice.likely(0.2) else 0.0
        world.people.later(at + late, partial(_call, world, event))
        if dice.likely(0.5):
            ask = partial(world.people.ask, "POST /orders/{id}/sync", SUPPORT, {"id": order_id}, {})
            world.people.later(at + late + dice.uniform(0, 1), ask)


def _call(world: World, event: Json) -> None:
    def told(status: int, body: Json) -> None:
        if status == 200 and body["accepted"]:
            world.people.accepted.append(f"generic:{event['event_id']}")

    world.people.send("POST /carriers/{carrier}/events", _signed(world, event), told)


def _signed(world: World, event: Json) -> Json:
    """A request after Standard Webhooks, signed with the secret that the carrier was given."""
    body = json.dumps(event)
    sent = str(int(START + world.loop.now))
    secret = world.secrets.texts["orders/carriers/generic"]
    key = base64.b64decode(secret + "=" * (-len(secret) % 4))
    signature = base64.b64encode(hmac.digest(key, f"{event['event_id']}.{sent}.{body}".encode(), hashlib.sha256)).decode()
    return {
        "version": "2.0",
        "routeKey": "POST /carriers/{carrier}/events",
        "rawPath": "/carriers/generic/events",
        "headers": {"webhook-id": event["event_id"], "webhook-timestamp": sent, "webhook-signature": f"v1,{signature}"},
        "requestContext": {"requestId": "request"},
        "isBase64Encoded": False,
        "pathParameters": {"carrier": "generic"},
        "body": body,
    }
