"""The payment provider and the carrier: the built-in ones, and what may come between.

Promised, and kept here (docs/providers.md): a call may be refused for the moment, and its answer may be lost before or
after its effect; the same key has its effect once. Their own books are in the table, under GATEWAY and CARRIER; beside them
it is kept here whose money was ever taken, whatever becomes of the entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orders.adapters.carriers.simulated import SimulatedCarrier
from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain.errors import CarrierUnavailable, GatewayUnavailable, OutcomeUnknown
from simulator.faults import AFTER, BEFORE, CARRIER, GATEWAY, PARTIES

if TYPE_CHECKING:
    from simulator.world import World

SLOW, SLOWEST = 0.1, 8.0
"""The share of calls that take long, and for how many seconds at most."""
SHORTEST_OUTAGE, LONGEST_OUTAGE = 40.0, 240.0
"""For how many seconds one of them takes no call: most often longer than a step's retries."""

_worlds: list[World] = []
_met: set[type] = set()


def install(world: World) -> None:
    """Stands between the product and both, from now on for this world."""
    stand_before(SimulatedGateway, SimulatedCarrier, GatewayUnavailable, CarrierUnavailable)
    _worlds[:] = [world]


def stand_before(gateway: type, carrier: type, no_gateway: type[Exception], no_carrier: type[Exception]) -> None:
    """Stands before a release's own two classes, once; the errors are that release's too."""
    for party, calls, unavailable in ((gateway, GATEWAY, no_gateway), (carrier, CARRIER, no_carrier)):
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
            world.loop.call_at(begins, world.closed.update, dict.fromkeys(calls, over))
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
            _fails(world, fault[0], unavailable)
        answer = _kept(world, original, name, arguments)
        if fault[1] == AFTER:
            _fails(world, fault[0], unavailable)
        return answer

    return call


def _kept(world: World, original: Callable[..., Any], name: str, arguments: tuple[Any, ...]) -> Any:
    """The call itself; whether it took money is looked up at once, however it ends."""
    try:
        return original(*arguments)
    finally:
        if name in ("charge", "collected"):
            _, key, amount, *_ = arguments
            entry = world.table.item((f"GATEWAY#{key}", "#CHARGE"))
            if entry and entry.get("state", {}).get("S") == "charged":
                world.taken[key] = amount.amount


def _fails(world: World, fault: str, unavailable: type[Exception]) -> None:
    caller = world.running
    if caller is None:
        return
    if fault == "killed":
        caller.kill()
    if fault == "timed out":
        caller.hang()
    if fault == "provider unavailable":
        raise unavailable("It takes no calls.")
    caller.wait(world.dice.uniform(1, 10))
    raise OutcomeUnknown("Its answer was lost.")
