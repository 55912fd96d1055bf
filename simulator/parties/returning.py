"""Customers who send something back, staff who approve it, decline it or say nothing, and the warehouse that receives it.

Often too much is asked for, or at the wrong moment; what comes back comes in parts, and some of it is damaged.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.parties.people import Wish
    from simulator.world import World

Json = Any

ROUTE = "POST /orders/{id}/returns"
SUPPORT, WAREHOUSE = ("sue", ("support",)), ("wim", ("warehouse",))
DECISIONS = ("approve",) * 6 + ("decline", "cancel", "silence")
ENDED_BY = {"decline": "had a return declined", "cancel": "had a return canceled"}
RECEIVED = "had goods received"


def customer(world: World, wish: Wish) -> None:
    """Some of an order is to go back: its customer looks what there is, and asks for it."""
    for number in range(1 + world.dice.below(2)):
        world.people.later(world.dice.uniform(20, 200), partial(_look, world, wish, number))


def _look(world: World, wish: Wish, number: int) -> None:
    if wish.order_id:
        path = {"id": wish.order_id}
        world.people.ask("GET /orders/{id}", (wish.customer, ()), path, None, partial(_ask_for_it, world, wish, number))


def _ask_for_it(world: World, wish: Wish, number: int, status: int, body: Json) -> None:
    if status != 200 or "returns" not in body:
        # Edition one knows nothing of returns.
        return
    lines = body["order"]["items"]
    chosen = [line for line in lines if world.dice.likely(0.7)] or lines[:1]
    # One more than there are, now and then.
    pieces = [1 + world.dice.below(line["quantity"] + (world.dice.likely(0.1))) for line in chosen]
    items = [{"line_id": line["line_id"], "quantity": count} for line, count in zip(chosen, pieces, strict=True)]
    key = f"back {wish.number} {number}"
    told = partial(_decide, world, wish, number)
    world.people.ask(ROUTE, (wish.customer, ()), {"id": wish.order_id}, {"items": items, "note": "Too small"}, told, key)


def _decide(world: World, wish: Wish, number: int, status: int, body: Json) -> None:
    if status != 200 or not body.get("returns"):
        return
    one = body["returns"][-1]
    wish.promises.append(("asked for a return", one["return_id"]))
    verb = world.dice.pick(DECISIONS)
    if verb == "silence":
        return
    who = (wish.customer, ()) if verb == "cancel" else SUPPORT
    path = {"id": wish.order_id, "return_id": one["return_id"]}
    told = partial(_send, world, wish, one) if verb == "approve" else partial(_ended, wish, one, verb)
    world.people.later(
        world.dice.uniform(0, 60),
        lambda: world.people.ask(f"{ROUTE}/{{return_id}}/{verb}", who, path, {}, told, f"{verb} {wish.number} {number}"),
    )


def _ended(wish: Wish, one: Json, verb: str, status: int, _body: Json) -> None:
    if status == 200:
        wish.promises.append((ENDED_BY[verb], one["return_id"]))


def _send(world: World, wish: Wish, one: Json, status: int, _body: Json) -> None:
    """The goods arrive piece by piece, or all together; now and then the last one never does."""
    if status != 200:
        return
    dice = world.dice
    pieces = [item["line_id"] for item in one["items"] for _ in range(item["quantity"])]
    parts = [[line_id] for line_id in pieces] if dice.likely(0.5) else [pieces]
    is_short = len(parts) > 1 and dice.likely(0.3)
    for number, part in enumerate(parts[: len(parts) - is_short]):
        is_final = is_short and number == len(parts) - 2
        world.people.later(dice.uniform(5, 120), partial(_receive, world, wish, one, number, part, is_final))


def _receive(world: World, wish: Wish, one: Json, number: int, part: list[str], is_final: bool) -> None:
    conditions = ("resellable", "resellable", "damaged")
    items = [{"line_id": line_id, "quantity": 1, "condition": world.dice.pick(conditions)} for line_id in part]
    path = {"id": wish.order_id, "return_id": one["return_id"]}
    told = partial(_received, wish, (one["return_id"], number, items))
    body = {"items": items} | ({"final": True} if is_final else {})
    world.people.ask(f"{ROUTE}/{{return_id}}/receive", WAREHOUSE, path, body, told, f"receipt {one['return_id']} {number}")


def _received(wish: Wish, receipt: Json, status: int, _body: Json) -> None:
    if status == 200 and (RECEIVED, receipt) not in wish.promises:
        wish.promises.append((RECEIVED, receipt))
