"""Subscribers of the product's webhooks, and the secrets of the account.

Promised, and kept here (https://www.standardwebhooks.com): an endpoint may fail, or take an event and never say so; it looks at
each signature and keeps what it was sent, by its id.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from standardwebhooks import Webhook as Signer

from orders.adapters import webhook_sender
from orders.domain.webhooks import Delivery

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

ADDRESS = "93.184.216.34"
HANG_SECONDS = 10.0


class Endpoints:
    """Every endpoint that is subscribed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.secrets: dict[str, str] = {}
        """The signing secret of each subscription, as it was shown when it was made."""
        self.taken: dict[tuple[str, str], Json] = {}
        """What each endpoint was sent: by subscription and event."""
        self.times: Counter[tuple[str, str]] = Counter()
        self.forged: list[str] = []
        webhook_sender._looked_up = lambda *_: [ADDRESS]
        webhook_sender._post = self.post

    def stand_behind(self, sender: Any) -> None:
        """Takes the place of the exchange in edition one's sender too."""
        sender.target_of = lambda *_: None
        sender._post = self.post

    def post(self, target: object, delivery: Delivery, headers: dict[str, str], ends: float) -> int:  # noqa: ARG002
        """In the place of the exchange with an endpoint."""
        world = self._world
        caller = world.running
        assert caller is not None
        if world.dice.happens("endpoint fails", caller.function):
            caller.wait(world.dice.uniform(0.05, 2))
            return 500
        caller.wait(world.dice.uniform(0.05, 0.5))
        self._take(delivery, headers)
        if world.dice.happens("endpoint hangs", caller.function):
            caller.wait(HANG_SECONDS)
            raise TimeoutError
        return 204

    def _take(self, delivery: Delivery, headers: dict[str, str]) -> None:
        key = (delivery.webhook_id, headers["webhook-id"])
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = Signer(self.secrets[delivery.webhook_id]).sign(headers["webhook-id"], at, delivery.payload)
        if expected not in headers["webhook-signature"].split(" "):
            self.forged.append(delivery.delivery_id)
        self.times[key] += 1
        self.taken[key] = json.loads(delivery.payload)
        self._world.note(f"webhook {key[1]} {self.times[key]}")


class Secrets:
    """Secrets Manager: what was put there, on request."""

    def __init__(self, world: World) -> None:
        self.texts = {name: f"secret{place}" * 6 for place, name in enumerate(sorted(world.wiring.secrets))}
        world.services["GetSecretValue"] = lambda request: {"SecretString": self.texts[request["SecretId"]]}
