"""The operator: sends dead letters again once the faults are over, and decides about parcels that nobody can find.

As ``orders redrive`` does it (docs/runbook.md): what a stream gave up is read once more from the stream, which keeps it
for a day.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orders.adapters.store import items, keys, refund_items
from orders.domain.payment import Payment
from orders.domain.refund import Refund, is_open, left
from orders.domain.statuses import OrderStatus, RefundStatus
from simulator.functions import Outcome
from simulator.loop import START
from simulator.parties import drivers
from simulator.parties.queues import Message

if TYPE_CHECKING:
    from simulator.world import World

Json = Any

PAUSE = 120.0
SUPPORT = ("sue", ("support",))
CONSUMERS = {"FulfillmentEvents": "on_fulfillment_event", "PaymentEvents": "on_payment_event"}


class Operator:
    """Somebody who looks after the product."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.hopeless: list[Message] = []
        """Dead letters that failed again when everything was in order."""
        self._asked: dict[str, float] = {}

    def has_letters(self) -> bool:
        """Whether a dead letter waits to be sent again."""
        return any(self._world.queues.messages(name) for name in _dead(self._world))

    def redrive(self) -> int:
        """Sends every dead letter again; returns how many there were."""
        world = self._world
        letters = [(name, letter) for name in _dead(world) for letter in world.queues.take(name)]
        for name, letter in letters:
            world.note(f"redrive {letter.number} {letter.source}")
            self._again(name, letter)
        return len(letters)

    def _again(self, name: str, letter: Message) -> None:
        world, body = self._world, json.loads(letter.body)
        if "requestPayload" in body:
            world.functions.send(body["requestContext"]["functionArn"], body["requestPayload"])
        elif "DDBStreamBatchInfo" in body:
            self._read_again(name, letter, body)
        elif "consumer" in body:
            self._hand_over(name, letter, world.functions.of_module(body["consumer"]), [body["record"]])
        elif letter.source in CONSUMERS:
            attributes = {"SentTimestamp": str(int((START + letter.sent) * 1000)), "ApproximateReceiveCount": "1"}
            record = {
                "messageId": "1",
                "receiptHandle": "",
                "body": letter.body,
                "attributes": attributes,
                "eventSource": "aws:sqs",
            }
            self._hand_over(name, letter, world.functions.of_module(CONSUMERS[letter.source]), [record])
        else:
            world.queues.send(letter.source, letter.body)

    def _read_again(self, name: str, letter: Message, body: Json) -> None:
        function, info = body["requestContext"]["functionArn"], body["DDBStreamBatchInfo"]
        first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
        records = self._world.streams.between(function, first, last)
        self._hand_over(name, letter, function, records)

    def _hand_over(self, name: str, letter: Message, function: str, records: list[Json]) -> None:
        def told(outcome: Outcome) -> None:
            if not outcome.error and not (outcome.payload or {}).get("batchItemFailures"):
                return
            if self._is_delayed(letter):
                self._world.queues.send(name, letter.body, source=letter.source)
            else:
                self.hopeless.append(letter)

        if records:
            self._world.functions.invoke(function, {"Records": records}, told)

    def _is_delayed(self, letter: Message) -> bool:
        """Whether a letter is about an order that is not paid yet: its provider may be down for this payment still."""
        order_id = json.loads(letter.body).get("detail", {}).get("order_id")
        order = self._world.table.item((f"ORDER#{order_id}", "#ORDER"))
        return order is not None and order["status"]["S"] == OrderStatus.PENDING and "due_at" in order

    def decide(self) -> None:
        """Says what became of each parcel that is under way for good: it is back, or it was delivered."""
        world = self._world
        for _, (partition, sort) in list(world.table.in_index("by_due", "DUE")):
            if sort != "#ORDER":
                continue
            order, order_id = world.table.item((partition, "#ORDER")), partition.removeprefix("ORDER#")
            shipments = [item for item in world.table.rows() if _is_parcel(item, partition)]
            if not order or not shipments or order["status"]["S"] != OrderStatus.SHIPPED:
                continue
            if self._asked.get(order_id, -PAUSE) + PAUSE > world.loop.now:
                continue
            self._asked[order_id] = world.loop.now
            for shipment in shipments:
                self._close(order_id, shipment)

    def hand_over(self) -> None:
        """Hands over what the warehouse has forgotten, by a courier who takes it to any address."""
        world = self._world
        for _, (partition, sort) in list(world.table.in_index("by_due", "DUE")) if world.is_prepared_by_hand else ():
            order = world.table.item((partition, "#ORDER")) if sort == "#ORDER" else None
            if order and order["status"]["S"] in (OrderStatus.CONFIRMED, OrderStatus.PROCESSING):
                path = {"id": partition.removeprefix("ORDER#")}
                body = {"carrier": "Courier", "tracking_number": f"C-{path['id']}"}
                world.people.ask("POST /orders/{id}/shipments", SUPPORT, path, body)

    def release(self) -> None:
        """Lets the orders go on that are still on hold."""
        world = self._world
        for _, (partition, sort) in list(world.table.in_index("by_due", "DUE")):
            order = world.table.item((partition, "#ORDER")) if sort == "#ORDER" else None
            if order and "hold" in order:
                path = {"id": partition.removeprefix("ORDER#")}
                world.people.ask("POST /orders/{id}/release", SUPPORT, path, {})

    def pay_out(self) -> None:
        """Hands out the cash that is owed, and has refunds that failed made again; if too much by now, as what is left."""
        world = self._world
        for order_id, refund, remaining in self.owed():
            if refund.status is RefundStatus.FAILED and refund.amount.amount > remaining:
                world.people.ask("POST /orders/{id}/refunds", SUPPORT, {"id": order_id}, {"reason": "What is left"})
                continue
            way = "retry" if refund.status is RefundStatus.FAILED else "complete"
            path = {"id": order_id, "refund_id": refund.refund_id}
            world.people.ask(f"POST /orders/{{id}}/refunds/{{refund_id}}/{way}", SUPPORT, path, {})

    def owed(self) -> list[tuple[str, Refund, int]]:
        """The refunds that people have to do something about, by their orders, each with what is left of its payment."""
        kept: dict[str, list[Refund]] = {}
        payments: dict[str, Payment] = {}
        for item in self._world.table.rows():
            order_id, sort = item["PK"]["S"].removeprefix("ORDER#"), item["SK"]["S"]
            if sort.startswith(keys.REFUND_PREFIX):
                kept.setdefault(order_id, []).append(refund_items.refund_from_item(item))
            elif sort == keys.PAYMENT:
                payments[order_id] = items.payment_from_item(item)
        return [
            (order_id, refund, left(payments[order_id], refunds))
            for order_id, refunds in kept.items()
            for refund in refunds
            if not refund.due_at and is_open(refund, payments[order_id], refunds)
        ]

    def _close(self, order_id: str, shipment: Json) -> None:
        world = self._world
        lost = {"LOST", "RETURNING"} & {shipment["status"]["S"], shipment.get("exact_status", {}).get("S")}
        if lost and world.dice.likely(0.5):
            path = {"id": order_id, "shipment_id": shipment["shipment_id"]["S"]}
            world.people.ask("POST /orders/{id}/shipments/{shipment_id}/returned", SUPPORT, path, {})
        elif lost or (not world.is_timed and "tracking_number" not in shipment):
            world.people.ask("POST /orders/{id}/delivered", SUPPORT, {"id": order_id}, {})
        elif not world.is_timed:
            drivers.report(world, shipment["tracking_number"]["S"], ("DELIVERED",), 30, order_id)


def _is_parcel(item: Json, partition: str) -> bool:
    """Whether it is a parcel of that order, and has come to no end of its own."""
    return item["PK"]["S"] == partition and item["SK"]["S"].startswith(keys.SHIPMENT) and "ended" not in item


def _dead(world: World) -> list[str]:
    """The queues of dead letters."""
    fed = {feed.source for feed in world.wiring.feeds}
    return [name for name in world.queues.names() if name not in fed]
