"""What is scarce: customers who say what becomes of their order then, and are asked, and who keeps the stock.

Promised, and kept here (docs/behavior.md#shortage): what is missing is dropped, or the customer is asked, and silence cancels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.parties.people import Wish
    from simulator.world import World

Json = Any

POLICIES = ("cancel", "drop", "drop", "ask", "ask", "ask")
ANSWERS = ("amend", "amend", "cancel", "silence")
LONGEST_ANSWER = 160.0
"""A little longer than the product waits (``ShortageTimeoutSeconds``)."""
CHANGES = (1, 2, 3, -1, -2)
ADMIN = ("ann", ("admin",))


def policy(world: World) -> Json:
    """What becomes of an order of something scarce; edition one knows no such wish."""
    return {} if world.releases.over else {"shortage": world.dice.pick(POLICIES)}


def answers(world: World, wish: Wish) -> None:
    """The customer answers, as often as not before they are asked, or too late."""
    answer = world.dice.pick(ANSWERS)
    if answer == "silence":
        return

    def told(status: int, _: Json) -> None:
        if status == 200:
            wish.promises.append(("amended" if answer == "amend" else "cancelled", None))

    def ask() -> None:
        if wish.order_id:
            route = f"POST /orders/{{id}}/{answer}"
            world.people.ask(route, (wish.customer, ()), {"id": wish.order_id}, {}, told, f"{answer} {wish.number}")

    world.people.later(world.dice.uniform(0, LONGEST_ANSWER), ask)


def recount(world: World, number: int, product: str) -> None:
    """Some pieces are found, or lost, while orders run; each change counts once, however often it is asked for."""
    if world.releases.over:
        return
    change, counted = CHANGES[world.dice.below(len(CHANGES))], False

    def told(status: int, _: Json) -> None:
        nonlocal counted
        if status == 200 and not counted:
            counted = True
            world.stocked[product] += change

    world.people.ask("POST /products/{id}/stock", ADMIN, {"id": product}, {"change": change}, told, f"recount {number}")
