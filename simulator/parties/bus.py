"""EventBridge and SNS: events to targets, notices to customers.

Promised, and kept here (https://docs.aws.amazon.com/eventbridge/latest/userguide/):
- each rule's targets are given every event that matches, at least once, in no order (eb-rule-retry-policy.html,
  eb-troubleshooting.html);
- the events of Step Functions come by best effort (eb-service-event.html#eb-service-event-delivery-level);
- PutEvents takes ten entries and says of each whether it was taken (eb-putevents.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.lambda_runtime.streams import matches
from simulator.wiring import Rule

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

LATE_SECONDS = 600.0
MOST_ENTRIES = 10
OURS = ("orders", "orders.carriers")


class Bus:
    """The product's bus, and the account's own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rules = [rule for rule in world.wiring.rules if rule.schedule is None]
        self._wanted: dict[tuple[str, str], list[Rule]] = {}
        self._under_way = 0
        self.taken: list[tuple[str, Json]] = []
        """What the product has put on the bus: source and detail."""
        self.by_edition_one: set[str] = set()
        """The ids of what edition one's functions have put there."""
        self.notices: list[Mapping[str, str]] = []
        """The attributes of each notice that customers were sent."""
        world.services.update({"PutEvents": self._put_events, "Publish": self._publish})

    def idle(self) -> bool:
        """Whether every event has reached its targets."""
        return self._under_way == 0

    def _put_events(self, request: Json) -> Json:
        entries = request["Entries"]
        if not 1 <= len(entries) <= MOST_ENTRIES:
            raise NotImplementedError(f"{len(entries)} entries")
        taken = self._taken(entries)
        for entry in taken:
            detail = json.loads(entry["Detail"])
            if entry["Source"] in OURS:
                self.taken.append((entry["Source"], detail))
                if self._world.running and self._world.running.is_earlier:
                    self.by_edition_one.add(detail["event_id"])
            self.put(entry["Source"], entry["DetailType"], detail)
        answers = [
            {"EventId": str(place)} if entry in taken else {"ErrorCode": "InternalFailure"}
            for place, entry in enumerate(entries)
        ]
        return {"FailedEntryCount": len(entries) - len(taken), "Entries": answers}

    def _taken(self, entries: list[Json]) -> list[Json]:
        dice, caller = self._world.dice, self._world.running
        partly = dice.happens("partly taken", caller.function if caller else "", "PutEvents")
        return [entry for entry in entries if dice.likely(0.5)] if partly else entries

    def put(self, source: str, kind: str, detail: Json) -> None:
        """One event, to whatever rule wants it."""
        event = {"source": source, "detail-type": kind, "detail": detail}
        text = ""
        self._world.note(f"event {source} {kind} {detail.get('event_id') or detail.get('name')}")
        for rule in self._rules_of(source, kind):
            if matches(rule.pattern, event):
                text = text or json.dumps(event)
                self._lead(rule, event, text)

    def _rules_of(self, source: str, kind: str) -> list[Rule]:
        """The rules that want events of that source and that type, and look at what is in them."""
        if (source, kind) not in self._wanted:
            event = {"source": source, "detail-type": kind}
            self._wanted[source, kind] = [
                rule
                for rule in self._rules
                if matches({name: rule.pattern[name] for name in event.keys() & rule.pattern}, event)
            ]
        return self._wanted[source, kind]

    def _lead(self, rule: Rule, event: Json, text: str) -> None:
        dice = self._world.dice
        for target, _ in rule.targets:
            late = dice.happens("event late", target)
            self._deliver_in(dice.uniform(0, LATE_SECONDS) if late else dice.uniform(0.05, 0.5), target, event, text)
            if dice.happens("event doubled", target):
                self._deliver_in(dice.uniform(0.05, 30), target, event, text)

    def _deliver_in(self, seconds: float, target: str, event: Json, text: str) -> None:
        self._under_way += 1
        self._world.loop.call_later(seconds, self._deliver, target, event, text)

    def _deliver(self, target: str, event: Json, text: str) -> None:
        self._under_way -= 1
        if target in self._world.wiring.functions:
            self._world.functions.send(target, event)
        else:
            self._world.queues.send(target, text)

    def _publish(self, request: Json) -> Json:
        attributes = {name: value["StringValue"] for name, value in request["MessageAttributes"].items()}
        self.notices.append(attributes)
        self._world.note(f"notice {attributes['event_id']} {request['Subject']}")
        return {"MessageId": str(len(self.notices))}
