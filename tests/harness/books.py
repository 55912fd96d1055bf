"""The books of a local stack, read from its table: every order, what its gateway charged, what its carrier got, what is left.

``Books.errors`` knows the laws that hold once everything has come to rest, whatever was thrown at the orders before.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from orders.adapters.store import event_items, items, keys, refund_items, return_items
from orders.domain.order import Event, Order
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.refund import Refund, is_arranged
from orders.domain.returns import Return
from orders.domain.statuses import (
    ENDED,
    TERMINAL,
    TRANSITIONS,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    ReturnStatus,
    StepStatus,
)
from orders.domain.steps import StepName
from tests.harness.figures import reserved_and_sold
from tests.harness.stacks import Deployment, until

_O, _P = OrderStatus, PaymentStatus
OURS = "SimEx"
"""The simulated carrier; a parcel of any other was shipped by somebody else, who may not have told its number."""


@dataclass
class Account:
    """All there is of one order."""

    order: Order
    payment: Payment | None = None
    shipment: Shipment | None = None
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    trail: list[Event] = field(default_factory=list)


def _keys_of(payment: Payment) -> list[str]:
    """Under which keys a payment may be in the gateway's book: cash is collected with a parcel that is not of everything."""
    return [payment.payment_id, *(f"{payment.payment_id}-{one.capture_id}" for one in payment.captures)]


def _worth_of_what_came_back(order: Order) -> int:
    lines = order.lines_by_id
    cancelled = {name: line.quantity_cancelled for name, line in lines.items()}
    gone = {name: line.quantity_cancelled + line.quantity_returned for name, line in lines.items()}
    return order.shares.to_give_back(gone) - order.shares.to_give_back(cancelled)


@dataclass
class Books:
    """A table at one moment."""

    accounts: dict[str, Account]
    ledger: dict[str, tuple[str, dict[str, Any]]]
    bookings: dict[str, tuple[str, dict[str, Any]]]
    stock: dict[str, int]
    figures: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, stack: Deployment) -> "Books":
        """Everything, by a scan: the engine's is as good as any moment once nothing moves any more."""
        books = cls({}, {}, {}, {}, {})
        rows = list(rows_of(stack, "Scan", ConsistentRead=True))
        for item in rows:
            if item.get("SK", {}).get("S") == "#ORDER":
                order = items.order_from_item(item)
                books.accounts[order.order_id] = Account(order)
        for item in rows:
            books._enter(item)
        for account in books.accounts.values():
            account.trail.sort(key=lambda event: event.version)
        return books

    def _enter(self, item: dict[str, Any]) -> None:
        partition, sort = item["PK"]["S"], item["SK"]["S"]
        kind, _, name = partition.partition("#")
        if kind == "GATEWAY" and "state" in item:
            self.ledger[name] = (item["state"]["S"], json.loads(item["facts"]["S"]))
        elif kind == "CARRIER" and "state" in item:
            self.bookings[name] = (item["state"]["S"], json.loads(item["facts"]["S"]))
        elif kind == "PRODUCT":
            self.stock[name] = int(item["stock"]["N"])
            self.figures[name] = int(item.get("reserved", {"N": "0"})["N"]), int(item.get("sold", {"N": "0"})["N"])
        elif kind == "ORDER" and name in self.accounts:
            self._enter_part(self.accounts[name], sort, item)

    def _enter_part(self, account: Account, sort: str, item: dict[str, Any]) -> None:
        if sort == "#PAYMENT":
            account.payment = items.payment_from_item(item)
        elif sort == "#SHIPMENT":
            account.shipment = items.shipment_from_item(item)
        elif sort.startswith(keys.REFUND_PREFIX):
            account.refunds.append(refund_items.refund_from_item(item))
        elif sort.startswith(keys.RETURN_PREFIX):
            account.returns.append(return_items.return_from_item(item))
        elif sort.startswith(keys.EVENT_PREFIX):
            account.trail.append(event_items.event_from_item(item))

    # --- the laws ---

    def errors(self, stocked: Mapping[str, int] | None = None) -> list[str]:
        """Every law that is broken; ``stocked`` is what the products had before their first order."""
        found = [f"{name}: {error}" for name, account in self.accounts.items() for error in self._wrong_with(account)]
        known = {key for account in self.accounts.values() if account.payment for key in _keys_of(account.payment)}
        found += [f"the gateway's {key} belongs to no payment" for key in self.ledger.keys() - known]
        return [*found, *self._stock_errors(stocked or {})]

    def _wrong_with(self, account: Account) -> Iterator[str]:
        yield from trail_errors(account.trail)
        order = account.order
        if [event.version for event in account.trail] != list(range(1, order.version + 1)):
            yield f"its trail has versions {[event.version for event in account.trail]}, it has {order.version}"
        if account.trail and account.trail[-1].status is not order.status:
            yield f"it is {order.status}, its trail ends with {account.trail[-1].status}"
        if order.overall not in ENDED or order.due_at is not None:
            yield f"it is stuck: {order.status}, {order.overall}, due {order.due_at}: {told(account.trail)}"
        if any(step.status in (StepStatus.IN_PROGRESS, StepStatus.COMPENSATING) for step in order.steps):
            yield f"a step is under way: {[(step.name, step.status) for step in order.steps]}"
        yield from self._money_errors(account)
        yield from self._return_errors(account)
        yield from self._parcel_errors(account)

    def _money_errors(self, account: Account) -> Iterator[str]:
        order, payment = account.order, account.payment
        lines = [self.ledger[key] for key in _keys_of(payment) if key in self.ledger] if payment else []
        state, facts = lines[0] if lines else ("", {})
        kept = order.status is _O.DELIVERED and not order.is_free
        if kept and state != "charged":
            yield f"delivered, and the gateway says {state or 'nothing'}: {told(account.trail)}"
        given = sum(one.amount.amount for one in account.refunds if one.status is RefundStatus.COMPLETED)
        if kept and (payment is None or payment.status is not (_P.PARTIALLY_REFUNDED if given else _P.COMPLETED)):
            yield f"delivered, and the payment is {payment and payment.status}, {given} given back"
        if state == "charged" and (facts["amount"], facts["currency"]) != (order.total.amount, order.total.currency):
            yield f"charged {facts} for {order.total}"
        # Cash is handed out by people, in their own time.
        is_owed = payment is not None and facts.get("cash") and payment.left and is_arranged(payment, account.refunds)
        if order.status in TERMINAL and state == "charged" and not is_owed:
            yield f"{order.status}, and the money was kept: {told(account.trail)}"
        if order.status in TERMINAL and payment and payment.status in (_P.PROCESSING, _P.COMPLETED) and not is_owed:
            yield f"{order.status}, and the payment is {payment.status}: {told(account.trail)}"
        if payment and (payment.status is _P.REFUNDED) is not (state == "refunded"):
            yield f"the payment is {payment.status}, the gateway says {state or 'nothing'}"
        if order.method is not PaymentMethod.CASH_ON_DELIVERY and self._times(account, "PAYMENT_COMPLETED") > 1:
            yield "completed its payment twice"

    @staticmethod
    def _return_errors(account: Account) -> Iterator[str]:
        order = account.order
        arranged, worth = sum(one.amount.amount for one in account.refunds), _worth_of_what_came_back(order)
        if order.status is _O.DELIVERED and arranged != worth:
            yield f"delivered, {arranged} is given back for what is worth {worth}: {told(account.trail)}"
        received = sum(item.received for one in account.returns for item in one.items)
        if received > sum(line.quantity_returned for line in order.lines):
            yield f"{received} pieces came back with its returns, it counts fewer: {told(account.trail)}"
        # Cash is waited for.
        is_card = order.method is not PaymentMethod.CASH_ON_DELIVERY
        if is_card and any(one.is_complete and one.status is ReturnStatus.RECEIVED for one in account.returns):
            yield f"a return that is back is not closed: {told(account.trail)}"

    def _parcel_errors(self, account: Account) -> Iterator[str]:
        order, shipment = account.order, account.shipment
        state, facts = self.bookings.get(shipment.shipment_id, ("", {})) if shipment else ("", {})
        told_to_carrier = {name: facts.get(name) for name in ("name", "line1", "city", "postal_code", "country")}
        address = order.shipping_address
        if state == "booked" and told_to_carrier != {name: getattr(address, name) for name in told_to_carrier}:
            yield f"the carrier got {told_to_carrier}, the order says {address}"
        if state == "booked" and order.status is _O.CANCELLED:
            yield f"cancelled, and the carrier has the parcel: {told(account.trail)}"
        if shipment and shipment.carrier == OURS and state == "booked" and shipment.tracking_number is None:
            yield f"{order.status}, booked, and without a tracking number: {told(account.trail)}"
        if order.status in (_O.DELIVERED, _O.RETURNED) and shipment is None:
            yield f"{order.status} without a parcel"
        if order.status is _O.DELIVERED and shipment and shipment.carrier == OURS and state != "booked":
            yield f"delivered, and the carrier's book says {state or 'nothing'}: {shipment} {told(account.trail)}"

    def _stock_errors(self, stocked: Mapping[str, int]) -> Iterator[str]:
        gone: Counter[str] = Counter()
        for account in self.accounts.values():
            if account.order.step(StepName.INVENTORY).status is StepStatus.COMPLETED:
                for line in account.order.lines:
                    gone[line.product_id] += line.wanted - line.quantity_returned
            for item in (item for one in account.returns for item in one.items):
                gone[account.order.lines_by_id[item.line_id].product_id] += item.damaged
            taken = self._times(account, "STOCK_RESERVED") + self._times(account, "STOCK_SHORT")
            if account.order.status in TERMINAL and taken != self._times(account, "STOCK_RELEASED"):
                yield f"{account.order.order_id}: its goods are not back: {told(account.trail)}"
        for product_id, before in stocked.items():
            if self.stock[product_id] + gone[product_id] != before:
                yield f"{product_id}: {before} before, {self.stock[product_id]} now, {gone[product_id]} sold"
        yield from self._figure_errors(stocked)

    def _figure_errors(self, products: Iterable[str]) -> Iterator[str]:
        wanted = reserved_and_sold(account.order for account in self.accounts.values())
        for product_id in products:
            if self.figures[product_id] != wanted.get(product_id, (0, 0)):
                yield f"{product_id}: {self.figures[product_id]} reserved and sold, by its orders {wanted.get(product_id)}"

    @staticmethod
    def _times(account: Account, kind: str) -> int:
        return sum(event.type.value == kind for event in account.trail)

    def statuses(self, order_ids: Iterable[str]) -> Counter[str]:
        """How many of these orders ended how."""
        return Counter(self.accounts[order_id].order.status.value for order_id in order_ids)

    def charges(self, order_id: str) -> int:
        """How often the gateway has taken this order's money: 0 or 1, however the order's payment is called."""
        payment = self.accounts[order_id].payment
        state, _ = self.ledger.get(payment.payment_id, ("", {})) if payment else ("", {})
        return int(state in ("charged", "refunded"))


def told(trail: list[Event]) -> str:
    """A trail in one line."""
    return " > ".join(event.type.value for event in trail)


def trail_errors(trail: list[Event]) -> Iterator[str]:
    """Where an audit trail is no path of the transition table, has two endings, or runs backwards in time."""
    if not trail or trail[0].status is not _O.PENDING or trail[0].old_status is not None:
        yield "its trail does not begin with its placing"
    endings = [event for event in trail if event.status in TERMINAL and event.old_status is not event.status]
    if len(endings) > 1:
        yield f"it has {len(endings)} endings: {told(trail)}"
    for before, after in pairwise(trail):
        if after.old_status is not before.status:
            yield f"version {after.version} does not follow from {before.status}"
        if after.status is not before.status and after.status not in TRANSITIONS[before.status]:
            yield f"{before.status} became {after.status}: {told(trail)}"
        if after.at < before.at:
            yield f"version {after.version} is older than the one before"


def _engine(stack: Deployment, target: str, **asked: Any) -> dict[str, Any]:
    """A call of the engine, read as it is written: an SDK takes several times as long over thousands of rows."""
    assert stack.aws_url is not None
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.0"}
    answer = stack.http.post(stack.aws_url, json=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rows_of(stack: Deployment, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
    """What a scan or query of the table comes to, all its pages."""
    start: dict[str, Any] = {}
    while True:
        page = _engine(stack, f"DynamoDB_20120810.{operation}", TableName=stack.aws_names["TableName"], **asked, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _has_open_orders(stack: Deployment) -> bool:
    due = {
        "IndexName": keys.BY_DUE,
        "KeyConditionExpression": "GSI3PK = :due",
        "ExpressionAttributeValues": {":due": {"S": "DUE"}},
    }
    return any(row["SK"]["S"] == "#ORDER" for row in rows_of(stack, "Query", **due))


def running_executions(stack: Deployment) -> list[str]:
    """The executions that have not ended, as the service has them."""
    return [arn for machine in ("FulfilMachineArn", "UnwindMachineArn") for arn in _running(stack, stack.aws_names[machine])]


def _running(stack: Deployment, machine: str) -> Iterator[str]:
    start: dict[str, Any] = {}
    while True:
        asked = {"stateMachineArn": machine, "statusFilter": "RUNNING", **start}
        page = _engine(stack, "AWSStepFunctions.ListExecutions", **asked)
        yield from (found["executionArn"] for found in page["executions"])
        if not page.get("nextToken"):
            return
        start = {"nextToken": page["nextToken"]}


def at_rest(stack: Deployment, seconds: float = 180) -> Books:
    """The books once no order is open and no execution runs any more."""

    def look() -> bool:
        return not running_executions(stack) and not _has_open_orders(stack) and not running_executions(stack)

    try:
        until(look, seconds, "rest")
    except AssertionError as late:
        running, books = running_executions(stack), Books.of(stack)
        moving = [account for account in books.accounts.values() if not account.order.is_over]
        trails = {one.order.order_id: (one.order.status, [event.type for event in one.trail]) for one in moving}
        raise AssertionError(f"Still running: {running}; not at their ends: {trails}; wrong: {books.errors()}") from late
    return Books.of(stack)
