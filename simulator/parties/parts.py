"""Parts of an order: staff hand some of its pieces over, customers cancel some, and the warehouse reports parcels of its own.

Promised, and kept here (docs/behavior.md#parcels): each piece is handed over once, or cancelled, whatever is asked for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orders.domain.events import FULFILLMENT_STATUS_CHANGED

if TYPE_CHECKING:
    from simulator.parties.people import Wish
    from simulator.world import World

Json = Any

SUPPORT, WAREHOUSE = ("sue", ("support",)), ("wim", ("warehouse",))
CANCELLED, HANDED_OVER = "had pieces cancelled", "had pieces handed over"
ARRIVED, CAME_BACK = "had a parcel delivered", "had a parcel come back"
REPORTED = ("packed", "shipped", "shipped", "completed", "cancelled")
LATEST = 25.0


def change_parts(world: World, wish: Wish) -> None:
    """Some of these, each at a moment of its own. Edition one knows of no parts."""
    if world.releases.over:
        return
    dice = world.dice
    for number in range(1 + dice.below(3)):
        what = (_cancel, _hand_over, _hand_over, _report)[dice.below(4)]
        world.people.later(dice.uniform(0, LATEST), partial(what, world, wish, number))


def prepare(world: World, wish: Wish) -> None:
    """The warehouse hands all over that is left, which it or staff report; now and then it forgets to, until somebody asks."""
    dice, at = world.dice, world.dice.uniform(2, 90)
    if dice.likely(0.5) or world.releases.over:
        world.people.later(at, partial(_tell, world, wish, f"q-{wish.number}", "shipped"))
    elif dice.likely(0.7):
        route, promise = "POST /orders/{id}/shipments", (HANDED_OVER, ("rest", None))
        world.people.later(at, partial(_ask, world, wish, route, WAREHOUSE, {}, promise))


def _pieces(world: World, wish: Wish) -> list[Json]:
    """One or two pieces of some lines: now and then more than there are."""
    lines = [str(place + 1) for place in range(len(wish.body["items"]))]
    chosen = [line for line in lines if world.dice.likely(0.6)] or lines[:1]
    return [{"line_id": line, "quantity": 1 + world.dice.likely(0.3)} for line in chosen]


def _cancel(world: World, wish: Wish, number: int) -> None:
    who = (wish.customer, ()) if world.dice.likely(0.5) else SUPPORT
    items = _pieces(world, wish)
    body = {"items": items, "reason": "Too many"}
    _ask(world, wish, "POST /orders/{id}/cancel", who, body, (CANCELLED, (number, items)))


def _hand_over(world: World, wish: Wish, number: int) -> None:
    """A parcel that our carrier is to take, or that has left already under a number of its own; then what becomes of it."""
    dice, items = world.dice, _pieces(world, wish)
    body: Json = {"items": items} if dice.likely(0.8) else {}
    if dice.likely(0.3):
        body |= {"carrier": "Courier", "tracking_number": f"C-{wish.number}-{number}"}
    route = "POST /orders/{id}/shipments"
    _ask(world, wish, route, WAREHOUSE, body, (HANDED_OVER, (number, body.get("items"))))
    if dice.likely(0.4):
        end = dice.pick((ARRIVED, ARRIVED, CAME_BACK))
        world.people.later(dice.uniform(2, 60), partial(_end, world, wish, end))


def _end(world: World, wish: Wish, end: str) -> None:
    """Staff enter that one of the parcels has arrived, or is back."""
    way = "delivered" if end == ARRIVED else "returned"

    def told(status: int, body: Json) -> None:
        parcels = body.get("shipments") or [] if status == 200 else []
        if parcels:
            path = {"id": wish.order_id, "shipment_id": parcels[world.dice.below(len(parcels))]["shipment_id"]}
            accepted = partial(_accepted, wish, (end, path["shipment_id"]))
            world.people.ask(f"POST /orders/{{id}}/shipments/{{shipment_id}}/{way}", SUPPORT, path, {}, accepted)

    if wish.order_id:
        world.people.ask("GET /orders/{id}", SUPPORT, {"id": wish.order_id}, None, told)


def _report(world: World, wish: Wish, number: int) -> None:
    """The warehouse reports a parcel of some pieces, and most often its delivery."""
    items, name = _pieces(world, wish), f"p-{wish.number}-{number}"
    said = world.dice.pick(REPORTED)
    _tell(world, wish, name, said, items)
    if said == "shipped" and world.dice.likely(0.7):
        world.people.later(world.dice.uniform(1, 60), partial(_tell, world, wish, name, "completed", items))


def _tell(world: World, wish: Wish, name: str, status: str, items: list[Json] | None = None) -> None:
    if not wish.order_id:
        return
    event_id = f"{name}-{status}"
    detail = {
        "event_type": FULFILLMENT_STATUS_CHANGED,
        "event_id": event_id,
        "fulfillment_id": name,
        "order_id": wish.order_id,
        "new_status": status,
        **({"items": items} if items else {}),
    }
    world.people.reported.append((wish.order_id, event_id))
    world.bus.put("warehouse", FULFILLMENT_STATUS_CHANGED, detail)


def _accepted(wish: Wish, promise: tuple[str, Json], status: int, _body: Json) -> None:
    if status == 200 and promise not in wish.promises:
        wish.promises.append(promise)


def _ask(world: World, wish: Wish, route: str, who: tuple[str, tuple[str, ...]], body: Json, promise: Json) -> None:
    if wish.order_id:
        told, key = partial(_accepted, wish, promise), f"{promise[0]} {wish.number} {promise[1][0]}"
        world.people.ask(route, who, {"id": wish.order_id}, body, told, key)
