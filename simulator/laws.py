"""The laws: what holds of the books once everything has come to rest, whatever was thrown at the orders before.

One law is one function: it yields a sentence for each breach. ``LAWS`` lists them by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from orders.domain import goods as counting
from orders.domain.events import SYSTEM
from orders.domain.order import Event
from orders.domain.status_names import parse_status
from orders.domain.statuses import (
    CANCELLABLE,
    ENDED,
    TERMINAL,
    TRANSITIONS,
    OrderStatus,
    ParcelEnd,
    PaymentStatus,
    StepStatus,
)
from orders.domain.steps import CancelReason, StepName
from simulator import two_releases
from simulator.books import Account, Books
from simulator.executions import discretion, executions
from simulator.laws_of_messages import counters, dead_letters, events, notices, webhooks
from simulator.laws_of_money import captures, money, payments
from simulator.laws_of_parts import OF_PARTS, is_done, parcels, pieces
from simulator.laws_of_returns import OF_RETURNS, came_back, is_kept, returns
from simulator.laws_of_stock import figures
from simulator.loop import START
from simulator.parties import people

_O, _P = OrderStatus, PaymentStatus
LIVE_SECONDS = 3600.0
"""How long after the last fault an order may take to its end, its waits included."""
WAKING_SECONDS = 150.0
"""How long a workflow may go on waiting for an approval that was given, where no more goes wrong than retries outlast."""
APPROVED_TOO_LATE = "Approved while the wait ran out"
REPAIRS = ("WORKFLOW_RESTARTED", "DELIVERY_OVERDUE")
PEACE_SECONDS = 700.0
"""What an order takes at most where nothing goes wrong: a review that nobody answers, and a return much later."""


def placing(books: Books) -> Iterator[str]:
    """What was acknowledged is there, once, whatever was repeated; what was refused is not."""
    for wish in books.world.people.wishes:
        if wish.is_placed and wish.order_id not in books.accounts:
            yield f"{wish.order_id} was acknowledged and is lost"
        if len(set(wish.ids)) > 1:
            yield f"one request with one key has made {sorted(set(wish.ids))}"
        if 400 <= wish.answered < 500 and wish.order_id in books.accounts:
            yield f"{wish.order_id} was refused with {wish.answered} and is there"
    if not any(wish.answered >= 500 for wish in books.world.people.wishes):
        for order_id in books.accounts.keys() - books.world.people.by_id().keys():
            yield f"{order_id} was placed, and nobody was told of it"


def trails(books: Books) -> Iterator[str]:
    """A trail is a path of the allowed transitions, with one event for each version, and runs forward in time."""
    for name, account in books.accounts.items():
        for error in _errors_of_trail(account):
            yield f"{name}: {error}: {account.story()}"


def _errors_of_trail(account: Account) -> Iterator[str]:
    order, trail = account.order, account.trail
    if [event.version for event in trail] != list(range(1, order.version + 1)):
        yield f"versions {[event.version for event in trail]} of {order.version}"
    if not trail or trail[0].status is not _O.PENDING or trail[0].old_status is not None:
        yield "it does not begin with its placing"
    elif trail[-1].status is not order.status:
        yield f"it is {order.status}, its trail ends with {trail[-1].status}"
    if sum(event.status in TERMINAL and event.old_status is not event.status for event in trail) > 1:
        yield "it ends more than once"
    for before, after in pairwise(trail):
        if after.old_status is not before.status or after.at < before.at:
            yield f"version {after.version} does not follow"
        if after.status is not before.status and after.status not in TRANSITIONS[before.status]:
            yield f"{before.status} became {after.status}"


def rest(books: Books) -> Iterator[str]:
    """Nothing is stuck: no order is open, no step under way, no execution runs, and nothing goes round in circles."""
    if books.world.loop.stopped:
        yield "something goes round in circles"
    for name, account in books.accounts.items():
        order = account.order
        if order.overall not in ENDED or order.due_at is not None:
            yield f"{name} is stuck: {order.status}, {order.overall}, due {order.due_at}: {account.story()}"
        under_way = [step.name for step in order.steps if step.status in (StepStatus.IN_PROGRESS, StepStatus.COMPENSATING)]
        if under_way:
            yield f"{name} has steps under way: {under_way}: {account.story()}"
    for arn, execution in books.world.workflows.executions.items():
        if execution.status == "RUNNING":
            yield f"{arn} still runs"


def liveness(books: Books) -> Iterator[str]:
    """With the faults over, each order ends within its bound."""
    limit = START + books.world.calm_at + LIVE_SECONDS
    for name, account in books.accounts.items():
        ends = [event.at.timestamp() for event in account.trail if event.status is not event.old_status]
        if ends and ends[-1] > limit:
            yield f"{name} ended {ends[-1] - limit + LIVE_SECONDS:.0f} seconds after the last fault: {account.story()}"


def goods(books: Books) -> Iterator[str]:
    """What is gone from stock was sold; what came back was gone before."""
    for name, account in books.accounts.items():
        taken = account.times("STOCK_RESERVED") + account.times("STOCK_SHORT")
        released = account.times("STOCK_RELEASED")
        if taken > 1 or released > taken:
            yield f"{name}: reserved {taken} times, released {released} times: {account.story()}"
        if account.order.status in TERMINAL and taken != released:
            yield f"{name}: its goods are not back: {account.story()}"
        if account.order.status is _O.DELIVERED and not (taken == 1 and released == 0):
            yield f"{name}: delivered, and its goods are in stock: {account.story()}"
    gone = _sold(books)
    for product, before in books.world.stocked.items():
        if books.stock[product] < 0 or books.stock[product] + gone[product] != before:
            yield f"{product}: {before} before, {books.stock[product]} now, {gone[product]} sold"


def _sold(books: Books) -> Counter[str]:
    gone: Counter[str] = Counter()
    for account in books.accounts.values():
        if account.order.is_asked or account.order.step(StepName.INVENTORY).status is StepStatus.COMPLETED:
            gone.update(counting.by_product(account.order, counting.out(account.order)))
        else:
            gone.update(counting.by_product(account.order, _lost(account)))
        gone.update(counting.by_product(account.order, came_back(account, damaged=True)))
    return gone


def _lost(account: Account) -> Counter[str]:
    """The pieces of parcels that their carrier has lost: nobody puts them back."""
    found: Counter[str] = Counter()
    for shipment in account.shipments:
        found.update(counting.in_parcel(account.order, shipment) if shipment.ended is ParcelEnd.LOST else {})
    return found


def promises(books: Books) -> Iterator[str]:
    """Whatever the product has said yes to has come to pass."""
    for order_id, wish in books.world.people.by_id().items():
        account = books.accounts.get(order_id)
        for promise, what in wish.promises if account else ():
            holds = is_kept if promise in OF_RETURNS else is_done if promise in OF_PARTS else _is_kept
            if account and not holds(account, promise, what):
                yield f"{order_id} was {promise} {what or ''}, and is {account.order.status}: {account.story()}"


def _is_kept(account: Account, promise: str, what: Any) -> bool:
    order = account.order
    if promise in ("cancelled", "returned", "delivered", "set"):
        wanted, _ = parse_status(what or promise)
        # Of an order of which a part has left all that had not is cancelled.
        in_part = promise == "cancelled" and counting.is_partly_handed_over(order) and account.times("ITEMS_CANCELLED")
        return bool(in_part) or wanted in {event.status for event in account.trail}
    if promise == "moved":
        return all(getattr(order.shipping_address, name) == value for name, value in what.items())
    if promise == "approved":
        return account.times("ORDER_APPROVED") == 1 and (
            order.cancellation is None or order.cancellation.reason.value not in ("approval_timeout", "approval_rejected")
        )
    if promise == "rejected":
        return order.status is _O.CANCELLED and order.cancellation is not None
    return promise != "amended" or account.times("ORDER_AMENDED") == 1


def reasons(books: Books) -> Iterator[str]:
    """What is cancelled says why, and what is not does not; nothing was cancelled of an order that had been handed over."""
    for name, account in books.accounts.items():
        order = account.order
        if (order.status is _O.CANCELLED) is not (order.cancellation is not None):
            yield f"{name}: {order.status} with {order.cancellation}"
        for event in account.trail:
            if event.status is _O.CANCELLED and event.old_status not in (*CANCELLABLE, _O.CANCELLED):
                yield f"{name}: cancelled from {event.old_status}"


def secrecy(books: Books) -> Iterator[str]:
    """An order that is over keeps no token of its customer's card."""
    for name, account in books.accounts.items():
        if account.order.payment_token is not None and not two_releases.was_ended_by_edition_one(books, account):
            yield f"{name}: {account.order.status}, and its payment token is kept"


def reviews(books: Books) -> Iterator[str]:
    """Nothing is charged that was to be looked at and was not approved."""
    wishes = books.world.people.by_id()
    for name, account in books.accounts.items():
        approval = account.order.approval
        wish = wishes.get(name)
        asked = wish is not None and (wish.body["require_approval"] or account.order.total.amount >= people.THRESHOLD)
        if asked and approval is None:
            yield f"{name}: should have been looked at"
        moved = account.times("PAYMENT_STARTED") + account.times("ORDER_CONFIRMED")
        if approval is not None and moved and account.times("ORDER_APPROVED") == 0:
            yield f"{name}: charged without an approval: {account.story()}"


def reports(books: Books) -> Iterator[str]:
    """Each event of the warehouse, and each that was taken of the carrier, is applied or noted, once."""
    applied = {event_id for _, event_id in books.markers}
    for order_id, event_id in books.world.people.reported:
        if order_id in books.accounts and (order_id, event_id) not in books.markers:
            yield f"{order_id}: {event_id} was never applied: {books.accounts[order_id].story()}"
    for event_id in books.world.people.accepted:
        if event_id not in applied:
            yield f"{event_id} was accepted and never applied"
    for name, account in books.accounts.items():
        kinds = ("FULFILLMENT_RECORDED", "FULFILLMENT_REFUSED")
        noted = Counter(event.metadata.get("event_id") for event in account.trail if event.type.value in kinds)
        for noted_id, times in noted.items():
            if noted_id and times > 1:
                yield f"{name}: {noted_id} was noted {times} times: {account.story()}"


UNDOING = ("SHIPMENT_RECALLED", "PAYMENT", "STOCK_RELEASED")


def unwinding(books: Books) -> Iterator[str]:
    """What is undone is undone in reverse: the parcel, then the money, then the goods, then the order is closed."""
    for name, account in books.accounts.items():
        by_refunds = any(_unwinds(event) for event in account.trail)
        # Edition one's entries do not name the parcel.
        begun = [event.metadata.get("shipment_id") for event in account.trail if event.type.value == "HANDOVER_STARTED"]
        ending = [event for event in account.trail if event.status in TERMINAL and not _is_of_one_given_up(event, begun[-1:])]
        done = ["PAYMENT" if _is_about_the_money(event, by_refunds) else event.type.value for event in ending]
        order = [kind for kind in done if kind in UNDOING]
        if order != [kind for kind in UNDOING if kind in order]:
            yield f"{name}: undone in another order, or twice: {account.story()}"
        recalls = Counter(
            event.metadata.get("shipment_id") for event in account.trail if event.type.value == "SHIPMENT_RECALLED"
        )
        if any(times > 1 for parcel, times in recalls.items() if parcel):
            yield f"{name}: a parcel was recalled twice: {account.story()}"


def _is_of_one_given_up(event: Event, last: list[Any]) -> bool:
    """Whether the sweep recalls a parcel that was given up before: another than the last, or of an order that is returned."""
    parcel = event.metadata.get("shipment_id")
    is_of_another = event.status is _O.RETURNED or (parcel is not None and parcel not in last)
    return event.type.value == "SHIPMENT_RECALLED" and is_of_another


def _unwinds(event: Event) -> bool:
    """Whether it begins the refund of all that is left."""
    return event.type.value == "REFUND_STARTED" and str(event.metadata.get("refund_id")).startswith("refund-")


def _is_about_the_money(event: Event, by_refunds: bool) -> bool:
    """Whether the unwinding has undone the payment by it: by a refund of its own, or as edition one does it."""
    if by_refunds:
        return _unwinds(event)
    return event.type.value in ("PAYMENT_REFUNDED", "PAYMENT_VOIDED") and "refund_id" not in event.metadata


def outcomes(books: Books) -> Iterator[str]:
    """Where nothing went wrong that retries do not outlast, an order is cancelled for its own reasons only."""
    if not books.world.dice.is_mild:
        return
    wishes = books.world.people.by_id()
    for name, account in books.accounts.items():
        cancellation = account.order.cancellation
        if cancellation and name in wishes and not _is_reason(wishes[name], cancellation.reason):
            if cancellation.reason is CancelReason.PAYMENT_FAILED and two_releases.may_have_charged(books, account):
                continue  # Edition one took a provider that is down for one that declines.
            if wishes[name].body["payment"].get("token") == "tok_flaky_9" and books.world.dice.happened:
                continue  # The last try of a step was lost, after the provider had taken none of the calls before.
            yield f"{name}: cancelled as {cancellation.reason}: {account.story()}"
        yield from _errors_of_waking(name, account)


def _errors_of_waking(name: str, account: Account) -> Iterator[str]:
    approved = next((event.at for event in account.trail if event.type.value == "ORDER_APPROVED"), None)
    timed_out = next((event.at for event in account.trail if event.reason == APPROVED_TOO_LATE), None)
    if approved and timed_out and (timed_out - approved).total_seconds() > WAKING_SECONDS:
        yield f"{name}: approved, and nobody woke its workflow until {timed_out - approved} later: {account.story()}"


def _is_reason(wish: people.Wish, reason: CancelReason) -> bool:
    token, is_awaited = wish.body["payment"].get("token"), people.is_awaited(wish.body["payment"])
    total = sum(people.PRICES[item["product_id"]] * item["quantity"] for item in wish.body["items"])
    is_reviewed = wish.body["require_approval"] or total >= people.THRESHOLD
    reasons: dict[CancelReason, bool] = {
        CancelReason.PAYMENT_FAILED: is_awaited or token in ("tok_declined", "tok_insufficient_funds", "tok_hold_expires"),
        CancelReason.SHIPPING_FAILED: wish.body["shipping_address"]["postal_code"] == "refused",
        CancelReason.OUT_OF_STOCK: any(item["product_id"] == people.SCARCE for item in wish.body["items"]),
        CancelReason.APPROVAL_REJECTED: is_reviewed,
        CancelReason.APPROVAL_TIMEOUT: is_reviewed,
        CancelReason.EXPIRED: is_awaited,
    }
    return reasons.get(reason, True)


def peace(books: Books) -> Iterator[str]:
    """Where nothing goes wrong at all, the product repairs nothing by itself."""
    # A warehouse that takes its time is waited for by one run after the other.
    if books.world.dice.allowed or books.world.dice.rate or books.world.is_prepared_by_hand:
        return
    for name, account in books.accounts.items():
        # What the warehouse and carriers report runs ahead of the workflow, or leaves it to people, who take their time.
        if any(event.by.startswith(("fulfillment", "carrier:")) for event in account.trail):
            continue
        # A provider that takes no calls for longer than a step's retries is the order's own token.
        if account.times("PAYMENT_DELAYED"):
            continue
        # What our carrier refuses of an order that has partly left is cancelled, and the next run waits for what has left.
        if any(event.type.value == "ITEMS_CANCELLED" and event.by == SYSTEM for event in account.trail):
            continue
        repaired = [event for event in account.trail if event.type.value in REPAIRS and event.by == SYSTEM]
        # An approval in the very moment at which its wait runs out finds the workflow gone on: nothing went wrong there.
        if any(event.reason != APPROVED_TOO_LATE for event in repaired) and books.world.is_timed:
            yield f"{name}: {[event.type.value for event in repaired]}: {account.story()}"
        took = account.order.updated_at - account.order.created_at
        if took.total_seconds() > PEACE_SECONDS and books.world.is_timed and not account.times("ORDER_HELD"):
            yield f"{name} took {took}: {account.story()}"


Law = Callable[[Books], Iterator[str]]
LAWS: Mapping[str, Law] = MappingProxyType(
    {
        law.__name__: law
        for law in (
            placing,
            trails,
            rest,
            liveness,
            money,
            payments,
            captures,
            goods,
            figures,
            returns,
            pieces,
            parcels,
            events,
            counters,
            notices,
            webhooks,
            dead_letters,
            promises,
            reasons,
            secrecy,
            reviews,
            reports,
            unwinding,
            outcomes,
            executions,
            discretion,
            peace,
        )
    }
)


def broken(books: Books) -> dict[str, list[str]]:
    """The laws that are broken, each with its breaches."""
    found = {name: sorted(law(books)) for name, law in LAWS.items()}
    return {name: breaches for name, breaches in found.items() if breaches}
