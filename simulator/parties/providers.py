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
