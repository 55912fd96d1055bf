"""Events for webhooks: writes one delivery for each event and endpoint, and queues it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orders import logs
from orders.adapters import aws, queues
from orders.adapters.aws import OutOfTime
from orders.adapters.queues import QueueBusy
from orders.adapters.store import deliveries, orders, webhooks
from orders.domain import erasure
from orders.domain.errors import StoreBusy
from orders.domain.identifiers import OrderId
from orders.domain.order import moment
from orders.domain.webhooks import Delivery, Webhook

logger = logs.logger()

Message = tuple[str, str]
"""A message of the queue: its id, and its body."""

AT_ONCE = deliveries.MOST_ACTIONS
"""Deliveries written by one call; with their messages that is eleven calls."""

ENOUGH_SECONDS = 11.0
"""With less time left than this no further deliveries are begun: their events are delivered again.

It is what their calls usually take, and the worst of the last one. That they end in time, however slow, is seen to before each.
"""


class FanOut:
    """One batch, for the subscriptions that existed when it arrived."""

    def __init__(self, webhooks: Sequence[Webhook], seconds_left: Callable[[], float]) -> None:
        self._webhooks = webhooks
        self._seconds_left = seconds_left
        self._pending: dict[tuple[str, str], Delivery] = {}
        self._messages: dict[tuple[str, str], set[str]] = {}
        self._explained: dict[tuple[str, str], OrderId] = {}
        self._failed: set[str] = set()

    def run(self, messages: Sequence[Message]) -> list[str]:
        """Writes and queues the messages' deliveries; returns the ids of the messages to deliver again.

        An event published twice is delivered once: its id is the delivery's.
        """
        for message_id, body in messages:
            try:
                self._expect(json.loads(body)["detail"], message_id)
            except (KeyError, ValueError, TypeError):
                logger.exception("An event cannot be read", message_id=message_id)
                self._failed.add(message_id)
        self._leave_out_what_is_erased()
        keys = list(self._pending)
        for first in range(0, len(keys), AT_ONCE):
            if self._seconds_left() < ENOUGH_SECONDS:
                logger.warning("Stopped before the time-out", deliveries=len(keys), done=first)
                self._fail(keys[first:])
                break
            self._deliver(keys[first : first + AT_ONCE])
        return [message_id for message_id, _ in messages if message_id in self._failed]

    def _expect(self, detail: Mapping[str, Any], message_id: str) -> None:
        payload = json.dumps(
            {"type": detail["event_type"], "timestamp": detail["timestamp"], "data": detail}, separators=(",", ":")
        )
        for webhook in self._webhooks:
            if webhook.wants(detail["event_type"]):
                delivery = Delivery(
                    webhook_id=webhook.webhook_id,
                    delivery_id=detail["event_id"],
                    event_type=detail["event_type"],
                    payload=payload,
                    created_at=moment(detail["timestamp"]),
                )
                self._pending[_key(delivery)] = delivery
                self._messages.setdefault(_key(delivery), set()).add(message_id)
                if "reason" in detail:
                    self._explained[_key(delivery)] = OrderId(detail["order_id"])

    def _leave_out_what_is_erased(self) -> None:
        """Removes personal texts from events of orders that were erased while the events were queued."""
        erased = orders.erased_orders(self._explained.values())
        for key, order_id in self._explained.items():
            if order_id in erased:
                delivery = self._pending[key]
                self._pending[key] = replace(delivery, payload=erasure.redacted_payload(delivery.payload))

    def _deliver(self, keys: Sequence[tuple[str, str]]) -> None:
        try:
            # Queued even if it was already written: the process may have ended in between.
            unqueued = [_key(delivery) for delivery in deliveries.add([self._pending[key] for key in keys])]
            self._fail(queues.send_deliveries(unqueued))
        except (StoreBusy, QueueBusy, OutOfTime):
            logger.exception("Some events will be retried")
            self._fail(keys)

    def _fail(self, keys: Iterable[tuple[str, str]]) -> None:
        for key in keys:
            self._failed |= self._messages[key]


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.webhook_id, delivery.delivery_id


def fan_out(messages: Sequence[Message], seconds_left: Callable[[], float]) -> list[str]:
    """Fans a batch out, as far as its time allows; returns the ids of the messages to deliver again."""
    with aws.within(seconds_left):
        return FanOut(webhooks.load_all(), seconds_left).run(messages)
