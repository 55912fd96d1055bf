"""Deployments: edition one's functions and definitions until this release's take over, some calls first.

Promised, and kept here (docs/decisions/012-releases-meet-in-the-table.md, 011-gradual-releases.md): an
alias sends a share of the invocations to the new version, for a while, and may be set back; an execution goes on with the
definition that it began with, and calls whichever version the alias leads to.

Edition one meets what its callers and the workflow service do to it, and none of the faults around calls: several of the
defects that they uncover have been fixed since, and its archive stays as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator import edition_one, nature, sdk
from simulator.coverage import CALLS
from simulator.faults import CARRIER
from simulator.parties import providers

if TYPE_CHECKING:
    from simulator.world import World

Json = Any
Handler = Callable[[Json, Json], Json]

LONGEST_SHIFT = 120.0
FIRST_SHARE = 0.1
"""The share of the calls that the new release is given at first."""


class Releases:
    """Which release a call is led to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._shares: list[tuple[float, float]] = []
        """Until when which share of the calls goes to edition one."""
        self._handlers: dict[str, Handler] = {}
        self.over = 0.0
        """When the last call is led to edition one; 0 where none is."""

    def deploy(self, until: float) -> float:
        """This release may take over from edition one; returns when it has."""
        dice = self._world.dice
        if not dice.happens("release"):
            return 0.0
        self._load()
        at = dice.uniform(0, until)
        self._shares = [(at, 1.0)]
        for share in (1 - FIRST_SHARE, 1.0, 1 - FIRST_SHARE) if dice.likely(0.2) else (1 - FIRST_SHARE,):
            at += dice.uniform(0, LONGEST_SHIFT)
            self._shares.append((at, share))
        for moment, _ in self._shares:
            self._world.loop.call_at(moment, self._world.restart)
        self.over = at
        return at

    def is_earlier(self) -> bool:
        """Whether a call that is made now is led to edition one."""
        now = self._world.loop.now
        share = next((share for until, share in self._shares if now < until), 0.0)
        return share > 0 and self._world.dice.likely(share)

    def handler(self, module: str) -> Handler | None:
        """Edition one's handler for a call that is made now; ``None`` where this release's is to run."""
        return self._handlers.get(module) if self._shares and self.is_earlier() else None

    def _load(self) -> None:
        os.environ["FULFIL_MACHINE_ARN"] = os.environ["FULFILL_MACHINE_ARN"]
        # Edition one charges at once, and so does what serves beside it.
        self._world.is_held_first = False
        os.environ["CAPTURE_MODE"] = "immediate"
        self._handlers = edition_one.handlers(frozenset(CALLS))
        sdk.install(self._world, edition_one.module("aws"))
        errors = edition_one.module("errors")
        gateway, carrier = edition_one.module("gateway").SimulatedGateway, edition_one.module("carrier").SimulatedCarrier
        providers.stand_before(gateway, providers.GATEWAY_OF_EDITION_ONE, errors.GatewayUnavailable)
        providers.stand_before(carrier, CARRIER, errors.CarrierUnavailable)
        self._world.endpoints.stand_behind(edition_one.module("outbound"))
        nature.install(self._world)
        nature.quiet()
