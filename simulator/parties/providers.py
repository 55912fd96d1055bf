"""The payment provider and the carrier: the built-in ones, and what may come between.

Promised, and kept here (docs/providers.md): a call may be refused for the moment, and its answer may be lost before or
after its effect; the same key has its effect once. Their own books are in the table, under GATEWAY and CARRIER; beside them
it is kept here whose money was ever taken, whatever becomes of the entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orders.adapters import cash_book
from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.errors import CarrierUnavailable, GatewayUnavailable, OutcomeUnknown
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from simulator.faults import AFTER, BEFORE, CARRIER, GATEWAY, PARTIES

if TYPE_CHECKING:
    from simulator.world import World

SLOW, SLOWEST = 0.1, 8.0
"""The share of calls that take long, and for how many seconds at most."""

SHORTEST_OUTAGE, LONGEST_OUTAGE = 40.0, 240.0
"""For how many seconds one of them takes no call: most often longer than a step's retries."""
GATEWAY_OF_EDITION_ONE = ("charge", "was_charged", "cancel", "refund", "collected")

_worlds: list[World] = []
_met: set[object] = set()


def install(world: World) -> None:
    """Stands between the product and both, from now on for this world."""
    stand_before(SimulatedGateway, GATEWAY, GatewayUnavailable)
    stand_before(SimulatedCarrier, CARRIER, CarrierUnavailable)
    if cash_book not in _met:
        _met.add(cash_book)
        cash_book.collect = _noted(cash_book.collect)
    _worlds[:] = [world]


def stand_before(party: type, calls: tuple[str, ...], unavailable: type[Exception]) -> None:
    """Stands before a release's own class, once; the error is that release's too."""
    if party not in _met:
        _met.add(party)
        for name in calls:
            setattr(party, name, _between(getattr(party, name), name, unavailable))


def break_down(world: World, until: float) -> float:
    """One of them may take no call for a while; returns when that is over."""
    ends = 0.0
    for party, calls in PARTIES.items():
        if world.dice.happens("provider outage", party):
            begins = world.dice.uniform(0, until)
            over = begins + world.dice.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE)
            closed = {*calls, *(GATEWAY_OF_EDITION_ONE if calls is GATEWAY else ())}
            world.loop.call_at(begins, world.closed.update, dict.fromkeys(sorted(closed), over))
            ends = max(ends, over)
    return ends


def _between(original: Callable[..., Any], name: str, unavailable: type[Exception]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        world = _worlds[-1]
        caller = world.running
        if caller is None:
            return original(*arguments)
        fault = caller.fault_of(name)
        caller.wait(world.dice.uniform(0.01, SLOWEST if world.dice.likely(SLOW) else 0.5))
        if world.closed.get(name, 0.0) > world.loop.now:
            raise unavailable("It takes no calls.")
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
        if name in ("authorize", "capture"):
            _, intent, *_ = arguments
            _note_taken(world, intent.key, intent.amount.amount)
        elif name in ("charge", "collected"):  # edition one's
            _, key, amount, *_ = arguments
            _note_taken(world, key, amount.amount)


def _noted(collect: Callable[..., None]) -> Callable[..., None]:
    """Cash is collected by our own people, who write it into the table: beside that, it is kept here."""

    def call(key: str, amount: Money) -> None:
        collect(key, amount)
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
