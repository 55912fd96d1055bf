"""Planted defects, each of which the laws have to find: a text of the product, and what stands in its place.

``make simulate-mutations`` plants each in a copy of the product, lets fresh seeds live until a law is broken, and says which one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ORDERS = "layers/orders/python/orders/"
_SERVICES, _STORE, _DECISIONS = _ORDERS + "services/", _ORDERS + "adapters/store/", _ORDERS + "domain/decisions/"
_FULFILL, _UNWIND = "statemachine/fulfill_order.asl.json", "statemachine/unwind_order.asl.json"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One defect: what is wrong, in which file, and the change that makes it so."""

    says: str
    path: str
    before: str
    after: str
    also: tuple[str, str] | None = None
    """A second change of the same file, where one condition stands in for another."""

    def planted_in(self, folder: Path) -> None:
        """Plants it in a copy of the product. Raises ``LookupError`` where the text does not stand exactly once."""
        file = folder / self.path
        text = file.read_text(encoding="utf-8")
        for before, after in ((self.before, self.after), *([self.also] if self.also else [])):
            if text.count(before) != 1:
                raise LookupError(f"{self.path} has {before!r} {text.count(before)} times.")
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")


MUTATIONS = (
    # --- conditions of writes ---
    Mutation(
        "a change overwrites another one, and its audit event",
        _STORE + "orders.py",
        '"#version = :version AND #status = :status")',
        '"#status = :status")',
        ("table.put_action(event_items.event_to_item(change.event), table.IS_NEW)", 'table.put_action(event_items.event_to_item(change.event), "attribute_not_exists(nothing)")'),
    ),
    Mutation("stock may be sold that is not there", _STORE + "orders.py", '"stock >= :wanted" if delta < 0 else table.EXISTS', "table.EXISTS"),
    Mutation(
        "the marker of an outside event is written whatever stands there",
        _STORE + "orders.py",
        "table.put_action(event_items.marker_to_item(change), table.IS_NEW)",
        'table.put_action(event_items.marker_to_item(change), "attribute_exists(PK) AND attribute_not_exists(nothing)")',
    ),
    Mutation("an outside event leaves no marker", _STORE + "orders.py", "    if change.marker is not None:\n", "    if change.marker is not None and False:\n"),
    Mutation("an event is counted each time it comes", _STORE + "counters.py", " AND NOT contains(counted, :text)", ""),
    Mutation("an idempotency key is not kept", _STORE + "orders.py", "    elif record is not None:\n        erased", "    elif record is not None and False:\n        erased"),
    Mutation("the ledger's line is replaced by a later call", _STORE + "ledgers.py", '"attribute_not_exists(#state)"', '"attribute_not_exists(nothing)"'),
    Mutation(
        "an attempt that the SDK repeated is taken for another one's",
        _STORE + "deliveries.py",
        "return outcome.is_written or all(outcome.failed[0].get(name) == value for name, value in changed.items())",
        "return outcome.is_written",
    ),
    # --- money ---
    Mutation(
        "each try of a charge has a key of its own",
        _SERVICES + "charging.py",
        "outcome = gateway.authorize(intent)",
        'outcome = gateway.authorize(__import__("dataclasses").replace(intent, key=f"{intent.key}-{utc_now()}"))',
    ),
    Mutation(
        "the intent of a payment is replaced by the next try",
        _DECISIONS + "paying.py",
        "    if found is not None and (found.provider_reference or found.payment_id != opened.payment_id):\n        return None\n    begun = found or new_payment(",
        "    begun = new_payment(",
    ),
    Mutation("what was charged is voided on paper and not refunded", _SERVICES + "refunding.py", "charging.known(payment_gateway(payment.provider).refund(intent, refund.key, refund.amount.amount))", "charging.GatewayOutcome(OutcomeKind.SETTLED)"),
    Mutation("a refund that was refused is taken for one that was made", _SERVICES + "refunding.py", "if outcome.kind is OutcomeKind.DECLINED:", "if outcome.kind is OutcomeKind.UNKNOWN:"),
    Mutation("what is about to be given back is counted as left", "layers/orders/python/orders/domain/refund.py", "payment.left - total(refunds, RefundStatus.PENDING)", "payment.left"),
    Mutation("what comes back damaged is sold again", _DECISIONS + "returning.py", "values.counted(receipt.pieces, Condition.RESELLABLE)", "values.counted(receipt.pieces)"),
    Mutation("an intent is not voided at the provider", _SERVICES + "refunding.py", "charging.decided(payment_gateway(payment.provider).void(charging.intent_of(order, payment)))", "payment_gateway(payment.provider).look_up(charging.intent_of(order, payment))"),
    Mutation("cash at the door is entered at the price of one piece", _SERVICES + "charging.py", "cash_book.collect(key, Money(amount, payment.amount.currency))", "cash_book.collect(key, snapshot.order.lines[0].unit_price)"),
    Mutation(
        "the follow-up of a delivery enters no cash",
        _SERVICES + "recovery.py",
        "        charging.collect_cash(snapshot)\n        arrivals.wake",
        "        arrivals.wake",
    ),
    Mutation("the token of the customer's card is kept", _ORDERS + "domain/recording.py", "token = None if _is_past_charging(after, payment) else after.payment_token", "token = after.payment_token"),
    # --- goods and parcels ---
    Mutation(
        "goods are released each time",
        _DECISIONS + "unwinding.py",
        "    if order.step(StepName.INVENTORY).status is not StepStatus.COMPENSATING:\n        return None\n    after = order.with_step(StepName.INVENTORY",
        "    after = order.with_step(StepName.INVENTORY",
    ),
    Mutation("goods are reserved each time", _DECISIONS + "placing.py", "    if order.step(StepName.INVENTORY).status is not StepStatus.PENDING:\n        return None\n", ""),
    Mutation("the address can change while the parcel is handed over", _DECISIONS + "shipping.py", " or order.is_over or any(not one.recalled for one in snapshot.shipments):", " or order.is_over:"),
    Mutation("the carrier is not told that a parcel is recalled", _SERVICES + "handovers.py", "        parcel_carrier().recall(shipment.shipment_id)\n", "        pass\n"),
    Mutation(
        "each try of a hand-over books another parcel",
        _SERVICES + "handovers.py",
        "booking = parcel_carrier().book(shipment.shipment_id,",
        'booking = parcel_carrier().book(fulfilling.new_id("ship", clock),',
    ),
    # --- parts of orders ---
    Mutation("a parcel that was given up is delivered with the others", _ORDERS + "domain/goods.py", "is_withdrawn = shipment.recalled and", "is_withdrawn = False and"),
    Mutation("pieces that are in a parcel can be handed over in another", _DECISIONS + "shipping.py", "if pieces > free.get(line_id, 0):", "if pieces > order.lines_by_id[line_id].quantity:"),
    Mutation("pieces that are cancelled are not put back", _DECISIONS + "cancelling.py", '"stock": cancelled if is_reserved else {},', '"stock": {},'),
    Mutation("pieces that are cancelled are not paid back", _DECISIONS + "cancelling.py", '"refunds": (refund,) if refund else (),', '"refunds": (),'),
    Mutation("a parcel that comes back among others is not paid back", _DECISIONS + "parcels_back.py", "goods.by_product(order, pieces), (refund,) if refund else ()", "goods.by_product(order, pieces), ()"),
    Mutation("only the first parcel's money is taken", _ORDERS + "domain/payment.py", 'return f"capture-{shipment_id}"', 'return "capture"'),
    # --- reviews, cancelling, unwinding ---
    Mutation("a review that nobody has answered is no obstacle", _DECISIONS + "reviewing.py", "if order.approval is not None and order.approval.status is ApprovalStatus.PENDING:", "if False:"),
    Mutation(
        "the token of the wait for approval is not kept",
        _DECISIONS + "reviewing.py",
        "approval=replace(approval, expires_at=expires), approval_token=token)",
        "approval=replace(approval, expires_at=expires))",
    ),
    Mutation("an order that is being unwound goes on", _DECISIONS + "ending.py", "    if order.overall in (OverallStatus.ROLLING_BACK, OverallStatus.ROLLED_BACK, OverallStatus.FAILED):\n", "    if order.overall is OverallStatus.FAILED:\n"),
    Mutation("an approval that came in time is forgotten when the wait runs out", _SERVICES + "failing.py", 'return "Approved while the wait ran out" if approved else None', "return None"),
    Mutation("what was done is undone from the wrong end", _ORDERS + "domain/steps.py", "{one.name: one.undoing for one in reversed(DEFINITIONS) if one.undoing}", "{one.name: one.undoing for one in DEFINITIONS if one.undoing}"),
    Mutation("the goods are not put back", _UNWIND, '"Next": "Release stock"\n    },\n    "Release stock"', '"Next": "Close order"\n    },\n    "Release stock"'),
    # --- the workflow service ---
    Mutation("a later run has the name of the first", _ORDERS + "adapters/workflow.py", 'return order_id if run == 1 else f"_{run}_{order_id}"', "return order_id"),
    Mutation("an execution that has failed is taken for a running one", _ORDERS + "adapters/workflow.py", "    if status in ALIVE:\n", '    if status in ALIVE or status == "FAILED":\n'),
    Mutation("a token that timed out is taken for a fault", _ORDERS + "adapters/workflow.py", 'frozenset({"TaskTimedOut", "InvalidToken", "TaskDoesNotExist"})', 'frozenset({"InvalidToken"})'),
    Mutation(
        "a cancelled order's execution is stopped before its undoing is started, and not undone if that fails",
        _SERVICES + "recovery.py",
        "    if order.overall is OverallStatus.ROLLING_BACK:\n        workflow.start_unwinding(snapshot)\n",
        "",
    ),
    Mutation("the execution of an order that was not fulfilled ends well", _FULFILL, '"Next": "Not fulfilled"', '"End": true'),
    Mutation(
        "an execution shows where its order goes",
        _ORDERS + "domain/outcomes.py",
        '"version": snapshot.order.version,',
        '"version": snapshot.order.version, "to": snapshot.order.shipping_address and snapshot.order.shipping_address.line1,',
    ),
    Mutation("a step that the provider refuses for the moment is not tried again", _FULFILL, '            "GatewayUnavailable",\n            "OutcomeUnknown"\n          ],\n          "IntervalSeconds": 1,\n          "BackoffRate": 2,\n          "MaxAttempts": 6,\n          "MaxDelaySeconds": 20,\n          "JitterStrategy": "FULL"\n        }\n      ],\n      "Catch": [\n        {\n          "ErrorEquals": [\n            "States.ALL"\n          ],\n          "ResultPath": "$.failure",\n          "Next": "Unwind order"\n        }\n      ],\n      "Next": "Paid yet?"', '            "Nothing"\n          ],\n          "IntervalSeconds": 1,\n          "BackoffRate": 2,\n          "MaxAttempts": 6,\n          "MaxDelaySeconds": 20,\n          "JitterStrategy": "FULL"\n        }\n      ],\n      "Catch": [\n        {\n          "ErrorEquals": [\n            "States.ALL"\n          ],\n          "ResultPath": "$.failure",\n          "Next": "Unwind order"\n        }\n      ],\n      "Next": "Paid yet?"'),
    Mutation("the sweep does not restart what is lost", _SERVICES + "recovery.py", "        return restarting.restart(found, waits, clock(), by, reason, fate)", "        return None"),
    Mutation("an order that is placed is never due", _DECISIONS + "placing.py", "        due_at=now + timedelta(seconds=review_seconds + waits.payment + waits.preparation) + GRACE,\n", "        due_at=None,\n"),
    # --- clocks, trails, events ---
    Mutation("a later version may be stamped earlier", _ORDERS + "domain/recording.py", "at = max(now, before.updated_at)", "at = now"),
    Mutation("events that a busy bus has not taken are dropped", _SERVICES + "publishing.py", "            return False\n", "            return True\n"),
    Mutation("events that the bus has refused singly are dropped", _ORDERS + "adapters/bus.py", 'if answer["FailedEntryCount"]:', "if False:"),
    Mutation("an event that is published again has another id", _ORDERS + "domain/notifications.py", "hashlib.sha256(what.encode()).digest()", "hashlib.sha256(f\"{what}{__import__('random').random()}\".encode()).digest()"),
    Mutation("events that could not be counted are taken as counted", _SERVICES + "counting.py", "        return [identifier for identifier, _ in chunk]\n", "        return []\n"),
    Mutation("customers are not told of what was cancelled", _SERVICES + "notices.py", "    if notice is None:\n", '    if notice is None or detail["new_status"] == "CANCELLED":\n'),
    # --- webhooks, reports ---
    Mutation("deliveries that the queue did not take are forgotten", _SERVICES + "webhook_fan_out.py", "            self._fail(queues.send_deliveries(unqueued))\n", "            queues.send_deliveries(unqueued)\n"),
    Mutation("a delivery that was written down is not queued again", _STORE + "deliveries.py", "    return fresh + unqueued\n", "    return fresh\n"),
    Mutation("a delivery that failed is not tried again", _SERVICES + "webhook_delivery.py", "    if after.next_attempt_at:\n", "    if False:\n"),
    Mutation("a webhook is signed with another text", _ORDERS + "adapters/webhook_sender.py", "Signer(secret).sign(delivery.delivery_id, at, delivery.payload)", 'Signer(secret).sign(delivery.delivery_id, at, delivery.payload + " ")'),
    Mutation("reports that failed are taken as done", _ORDERS + "web/event_batches.py", "    return answer\n", '    return {"batchItemFailures": []}\n'),
    Mutation("a carrier's report is accepted and not passed on", _SERVICES + "carrier_reports.py", "    bus.publish([(FULFILLMENT_STATUS_CHANGED, detail, now)], CARRIERS_SOURCE)\n", ""),
    # --- wiring ---
    Mutation("failed messages of the counters' queue are deleted", "template.yaml", "      BatchSize: 100\n      MaximumBatchingWindowInSeconds: 5\n      FunctionResponseTypes: [ReportBatchItemFailures]\n", "      BatchSize: 100\n      MaximumBatchingWindowInSeconds: 5\n"),
    Mutation("changes with a follow-up are filtered out but for the first", "template.yaml", '"follow_up":{"S":[{"exists":true}]}', '"follow_up":{"S":["start_fulfilment"]}'),
)  # fmt: skip
