"""The payment provider and the carrier: the built-in ones, and what may come between.

Promised, and kept here (docs/providers.md): a call may be refused for the moment, and its answer may be lost before or
after its effect; the same key has its effect once. Their own books are in the table, under GATEWAY and CARRIER; beside them
it is kept here whose money was ever taken, whatever becomes of the entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.cash_book import CashBook
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.errors import CarrierUnavailable, GatewayUnavailable, OutcomeUnknown
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from simulator.faults import AFTER, BEFORE, CARRIER, GATEWAY

if TYPE_CHECKING:
    from simulator.world import World

SLOW, SLOWEST = 0.1, 8.0
"""The share of calls that take long, and for how many seconds at most."""

_worlds: list[World] = []


def install(world: World) -> None:
    """Stands between the product and both, from now on for this world."""
    if not _worlds:
        for name in GATEWAY:
            setattr(SimulatedGateway, name, _between(getattr(SimulatedGateway, name), name, GatewayUnavailable))
        CashBook.collect = _noted(CashBook.collect)  # type: ignore[method-assign]
        for name in CARRIER:
            setattr(SimulatedCarrier, name, _between(getattr(SimulatedCarrier, name), name, CarrierUnavailable))
    _worlds[:] = [world]


def _between(original: Callable[..., Any], name: str, unavailable: type[Exception]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        world = _worlds[-1]
        caller = world.running
        if caller is None:
            return original(*arguments)
        fault = world.dice.fault_of(caller.function, name)
        caller.wait(world.dice.uniform(0.01, SLOWEST if world.dice.likely(SLOW) else 0.5))
        if fault is None:
            return _kept(world, original, name, arguments)
        world.note(f"fault {caller.number} {name} {fault}")
        if fault[1] == BEFORE:
            return _fails(world, fault[0], unavailable, name)
        answer = _kept(world, original, name, arguments)
        if fault[1] == AFTER:
            return _fails(world, fault[0], unavailable, name)
        return answer

    return call


def _kept(world: World, original: Callable[..., Any], name: str, arguments: tuple[Any, ...]) -> Any:
    """The call itself; whether it took money is looked up at once, however it ends."""
    try:
        return original(*arguments)
    finally:
        if name == "authorize":
            _, intent = arguments
            _note_taken(world, intent.key, intent.amount.amount)


def _noted(collect: Callable[..., None]) -> Callable[..., None]:
    """Cash is collected by our own people, who write it into the table: beside that, it is kept here."""

    def call(book: CashBook, key: str, amount: Money) -> None:
        collect(book, key, amount)
        _note_taken(_worlds[-1], key, amount.amount)

    return call


def _note_taken(world: World, key: str, amount: int) -> None:
    entry = world.table.item((f"GATEWAY#{key}", "#CHARGE"))
    if entry and entry.get("state", {}).get("S") == "charged":
        world.taken[key] = amount


def _fails(world: World, fault: str, unavailable: type[Exception], name: str) -> Any:
    """What the caller gets of a call that fails; of the payment provider an unknown outcome is a result."""
    caller = world.running
    if caller is None:
        return None
    if fault == "killed":
        caller.kill()
    if fault == "timed out":
        caller.hang()
    if fault == "provider unavailable":
        raise unavailable("It takes no calls.")
    caller.wait(world.dice.uniform(1, 10))
    if name == "open":
        raise unavailable("Its answer was lost.")
    if name in GATEWAY:
        return GatewayOutcome(OutcomeKind.UNKNOWN)
    raise OutcomeUnknown("Its answer was lost.")
