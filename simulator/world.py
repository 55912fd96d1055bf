"""The world of one history: every party, one clock, one source of chance, and the storm that passes over it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from io import TextIOBase
from typing import Any

from orders.domain.events import ORDER_STATUS_CHANGED
from orders.web.routes import ROUTES
from simulator import edition_one, nature, sdk
from simulator.dice import Dice
from simulator.functions import Functions, Invocation
from simulator.history import History
from simulator.loop import START, Loop
from simulator.parties import people, providers
from simulator.parties.bus import Bus
from simulator.parties.endpoints import Endpoints, Secrets
from simulator.parties.operator import Operator
from simulator.parties.people import People
from simulator.parties.queues import Queues
from simulator.parties.releases import Releases
from simulator.parties.streams import Streams
from simulator.parties.table import Table
from simulator.parties.workflows import Workflows
from simulator.wiring import Wiring

Json = Any

SPACING = 1.5
"""Seconds from one order to the next, at most."""
SETTLED = 30.0
"""Seconds from the set-up to the first order: indexes know the subscriptions by then."""
AFTERMATH, LONG_AFTERMATH = 90.0, 420.0
"""For how many seconds after the last order faults still happen: in some histories until the last reviews have run out."""
BOUND = 4 * 3600.0
"""How many seconds after the last fault everything must have come to rest."""
TICK = 60.0
WAREHOUSE_WAIT = 600
"""How long an execution waits for the warehouse, in seconds, before the next run follows: 300 days on AWS."""
MOST_HAPPENINGS = 1500
"""For each order: ten times what is usual. Past that something is going round in circles."""
SHORT_OUTAGE, LONGEST_OUTAGE = 900.0, 4500.0
"""How many seconds a function is broken: longer than its consumers try, and at worst longer than they keep what they have."""


class Silence(TextIOBase):
    """Where logs and metrics go."""

    def write(self, text: str) -> int:
        return len(text)


class World:
    """One history."""

    def __init__(self, wiring: Wiring, dice: Dice, history: History) -> None:
        self.wiring, self.dice, self._history = wiring, dice, history
        self.loop = Loop()
        self.services: dict[str, Callable[[Json], Json]] = {}
        self.running: Invocation | None = None
        self.is_timed = dice.likely(0.75)
        self.is_held_first = dice.likely(0.35)
        """Whether money is held at first, and captured with the parcels."""
        self.is_prepared_by_hand = dice.likely(0.25)
        """Whether no timer hands parcels over, but the warehouse and staff."""
        self.calm_at = 0.0
        self.happenings = 0
        self.closed: dict[str, float] = {}
        """Calls that the payment provider or the carrier does not take, and until when."""
        self.taken: dict[str, int] = {}
        """Whose money the provider has ever taken, by the keys of the charges."""
        self.stocked: dict[str, int] = {}
        self._subscribed: dict[str, list[str]] = {}
        self._prepare()
        self.functions = Functions(self)
        self.table, self.streams, self.queues = Table(self), Streams(self), Queues(self)
        self.bus, self.workflows = Bus(self), Workflows(self)
        self.secrets, self.endpoints = Secrets(self), Endpoints(self)
        self.releases = Releases(self)
        self.people, self.operator = People(self), Operator(self)
        providers.install(self)
        sdk.install(self)
        nature.install(self)
        self.restart()

    def _prepare(self) -> None:
        os.environ.update(self.wiring.environment)
        os.environ["DELIVERY_MODE"] = "timed" if self.is_timed else "carrier"
        os.environ["CAPTURE_MODE"] = "on_shipment" if self.is_held_first else "immediate"
        os.environ["WAREHOUSE_WAIT_SECONDS"] = str(WAREHOUSE_WAIT if self.is_prepared_by_hand else 0)

    def note(self, line: str) -> None:
        """Takes down one thing that happened. Where more happens than ever should, nothing more does."""
        self.happenings += 1
        if self.happenings > MOST_HAPPENINGS * (10 + len(self.people.wishes)):
            self.loop.stop()
        self._history.add(f"{self.loop.now:.6f} {line}")

    # --- nature, as the product meets it ---

    def clock(self) -> float:
        return START + self.loop.now + (self.running.skew if self.running else 0.0)

    def monotonic(self) -> float:
        return START + self.loop.now

    def sleep(self, seconds: float) -> None:
        if self.running and seconds > 0:
            self.running.wait(seconds)

    def chance(self) -> float:
        return self.dice.chance()

    def bytes(self, count: int) -> bytes:
        return self.dice.bytes(count)

    # --- the storm ---

    def live(self, orders: int) -> None:
        """So many orders, everything that happens to them, and the calm that follows."""
        with redirect_stdout(Silence()):
            self._open(orders)
            self.dice.calm = False
            at = SETTLED
            for number in range(orders):
                self.loop.call_at(at, self.people.place, number)
                at += self.dice.uniform(0, 2 * SPACING) if number % 7 else 0.0
            aftermath = LONG_AFTERMATH if self.dice.likely(0.5) else AFTERMATH
            ends = self._break_down(at), providers.break_down(self, at), self.releases.deploy(at)
            self.calm_at = max(at + aftermath, *ends)
            self.loop.call_at(self.calm_at, self._calm)
            self.loop.call_later(TICK, self._tick)
            self.loop.run()

    def _break_down(self, until: float) -> float:
        """Some function may fail for a while, whatever it is given, and others with it; returns when that is over."""
        function = self.dice.pick(tuple(sorted(self.wiring.functions)))
        if not self.dice.happens("outage", function):
            return 0.0
        begins = self.dice.uniform(0, until)
        ends = begins + self.dice.uniform(60, LONGEST_OUTAGE if self.dice.likely(0.2) else SHORT_OUTAGE)
        broken = {function}
        while self.dice.likely(0.6):
            broken.add(self.dice.pick(tuple(sorted(self.wiring.functions))))
        for one in sorted(broken - {function}):
            self.dice.met("outage", one)
        self.loop.call_at(begins, self.functions.broken.update, dict.fromkeys(broken, ends))
        return ends

    def restart(self) -> None:
        """Every process begins anew: what it had kept is gone."""
        for empty in kept(edition_one.NAME in sys.modules):
            empty()

    def _open(self, orders: int) -> None:
        """Before the first order: the catalog, and who has subscribed to what."""
        sets = 1 + orders // people.SCARCE_STEPS
        self.stocked = {name: stock * (sets if name == people.SCARCE else 1) for name, stock in people.STOCKED.items()}
        for product, pieces in self.stocked.items():
            body = {"name": product, "unit_price": {"amount": people.PRICES[product], "currency": "USD"}, "stock": pieces}
            self._call("PUT /products/{id}", {"id": product}, body)
        for place, kinds in enumerate(([], [ORDER_STATUS_CHANGED])):
            if place == 1 or self.dice.likely(0.2):
                answer = self._call("POST /webhooks", {}, {"url": f"https://shop{place}.test/hook", "events": kinds})
                self.endpoints.secrets[answer["webhook_id"]] = answer["secret"]
                self._subscribed[answer["webhook_id"]] = kinds

    def wanted_by(self) -> dict[str, list[str]]:
        """Which events each subscription wants; none means all of them."""
        return self._subscribed

    def _call(self, route: str, path: Json, body: Json) -> Json:
        module = ROUTES[route].function
        event = people.request(route, people.ADMIN, path, body, None)
        answer = self.functions.handler(self.functions.of_module(module))(event, None)
        if answer["statusCode"] >= 300:
            raise RuntimeError(answer["body"])
        return json.loads(answer["body"])

    def _calm(self) -> None:
        self.note("calm")
        self.dice.calm = True

    def _tick(self) -> None:
        """Each minute: the schedules, and once the faults are over the operator. Ends when all is at rest."""
        calm = self.dice.calm
        if calm and (self._is_at_rest() or self.loop.now > self.calm_at + BOUND):
            self.note("rest")
            return
        for rule in self.wiring.rules:
            if rule.schedule:
                for target, _ in rule.targets:
                    self.functions.send(target, {"detail-type": "Scheduled Event", "detail": {}})
        if calm and self.loop.now > self.calm_at + 2 * TICK:
            self.operator.redrive()
            self.operator.decide()
            self.operator.release()
            self.operator.hand_over()
            self.operator.pay_out()
        self.loop.call_later(TICK, self._tick)

    def _is_at_rest(self) -> bool:
        parties = (self.streams, self.queues, self.bus, self.workflows, self.people)
        still = self.functions.busy == 0 and all(party.idle() for party in parties)
        if not still or self.table.in_index("by_due", "DUE") or self.operator.has_letters():
            return False
        return not self.operator.owed()


@cache
def kept(two_releases: bool) -> list[Callable[[], None]]:  # noqa: ARG001 - looked for anew once both are loaded
    """What empties each thing that the product keeps between invocations."""
    return nature.forget_settings()
