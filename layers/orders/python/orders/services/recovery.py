"""Recovery: the follow-up on each change, the repair of one order, and the sweep over all overdue orders.

Everything here decides by the order's row as it is now, never by the order in which records or events arrived.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orders import settings
from orders.adapters import workflow
from orders.adapters.store import indexes, keys, orders
from orders.domain import goods, outcomes
from orders.domain.decisions import ending, restarting, reviewing, shipping, shortage
from orders.domain.decisions.restarting import Fate
from orders.domain.errors import OrderChanged, StoreBusy, WorkflowBusy
from orders.domain.events import SYSTEM, FollowUp
from orders.domain.identifiers import OrderId
from orders.domain.order import Change, Order, Snapshot, moment, timestamp
from orders.domain.statuses import CANCELLABLE, ENDED, OrderStatus, OverallStatus, has_reached
from orders.domain.steps import ApprovalRejected, CancelReason
from orders.domain.waits import GRACE
from orders.services import arrivals, capturing, charging, handovers, holding, inbound, refunding
from orders.services.changes import Clock, apply, utc_now

MOST_FAILED_RUNS = 10
"""The number of runs that failed by themselves, with no step finished between them, after which an order expires.

Runs that were stopped, that a restart of the workflow service ended or that were never started do not count: an order
that only waits has not failed. A parcel that is on its way cannot be given up, and neither can a refund that is due: those
are retried forever.
"""

FULFILLMENT, UNWINDING = "fulfillment", "unwinding"
"""The two machines, as metrics name them."""

LONGEST_UNASKED = timedelta(hours=1)
"""How long at most a provider is not asked about a payment that is waited for."""

PARTS_OF_THE_WAIT = 8
"""Such a part of the time that a payment has been waited for passes until its provider is asked again.

What it has decided is known late by an eighth of the wait at most, for some 40 calls until the pauses are of an hour.
"""

ENOUGH_SECONDS = 8.0
"""With less time left than this a sweep begins no further order: a busy table or service may take as long over one."""


def follow_up(order_id: OrderId, wanted: FollowUp, clock: Clock = utc_now) -> None:
    """Makes the call to the workflow service that a committed change requires; a repetition changes nothing.

    Reads the order as it is now: a follow-up that a later change has replaced is skipped.
    """
    snapshot = orders.load(order_id)
    order = snapshot.order
    if wanted is FollowUp.START_FULFILLMENT and not order.is_over:
        workflow.start_fulfillment(order, arrivals.waits_left(snapshot, clock()))
    _answer(snapshot, wanted, clock)
    if wanted in (FollowUp.CAPTURE_PAYMENT, FollowUp.ANSWER_RELEASED):
        capturing.settle(snapshot, clock)
    # The unwinding starts before the fulfillment ends: a consumer of that end finds the unwinding started.
    if order.overall is OverallStatus.ROLLING_BACK:
        workflow.start_unwinding(snapshot)
    if wanted is FollowUp.STOP_AND_UNWIND:
        workflow.stop_fulfillment(order)


def _answer(snapshot: Snapshot, wanted: FollowUp, clock: Clock) -> None:
    """Returns the task token of the workflow that waits for what has been decided."""
    order = snapshot.order
    if wanted is FollowUp.ANSWER_AMENDED and order.shortage_token:
        workflow.answer(order.shortage_token, {"amended": True})
    elif wanted is FollowUp.ANSWER_APPROVED and order.approval_token:
        workflow.answer(order.approval_token, {"approved": True})
    elif wanted is FollowUp.ANSWER_REJECTED and order.approval_token:
        # Without the reviewer's text: executions keep their history for months.
        workflow.refuse(order.approval_token, ApprovalRejected.__name__, reviewing.REJECTED)
    elif wanted is FollowUp.ANSWER_PAID and order.confirmation_token:
        workflow.answer(order.confirmation_token, outcomes.of(snapshot))
    elif wanted is FollowUp.ANSWER_RELEASED and order.release_token and not order.hold:
        holding.answer(snapshot, order.release_token)
        _answer_of_parcels(snapshot, wanted, clock)
    else:
        _answer_of_parcels(snapshot, wanted, clock)


def _answer_of_parcels(snapshot: Snapshot, wanted: FollowUp, clock: Clock) -> None:
    """Returns the task token of the workflow that waits for what happens to the parcels."""
    order = snapshot.order
    if wanted in (FollowUp.ANSWER_HANDED_OVER, FollowUp.CAPTURE_PAYMENT, FollowUp.ANSWER_RELEASED):
        if order.warehouse_token and has_reached(order.status, OrderStatus.SHIPPED):
            workflow.answer(order.warehouse_token, outcomes.of(snapshot))
    elif wanted is FollowUp.ANSWER_DELIVERED:
        charging.collect_cash(snapshot)
        arrivals.wake(snapshot, clock())


# --- one order ---


def sync(order_id: OrderId, by: str, clock: Clock = utc_now) -> Snapshot:
    """Derives from the order's row and its parcel's scans what should be running, and restarts what is not.

    An order that is over, or whose execution is running, is left alone; the latter is checked again later.
    """
    return _synced(handovers.finish_left(refunding.tried(orders.load(order_id), clock), clock), by, clock)


def execution_ended(execution_arn: str, status: str, error: str | None, clock: Clock = utc_now) -> str | None:
    """Repairs an order whose execution failed or was stopped, as the service's event says, without a call to the service.

    Most such executions are the ends of orders that were not fulfilled: their rows say so, and one read is all that it costs.
    An execution that the order does not wait for (any more) changes nothing either. Where the run before it has failed too,
    and no step was finished in between, the sweep restarts the order in a minute: what fails at once must not be restarted at
    once.

    Returns the machine whose execution ended too early, ``None`` where the order was not waiting for it.

    Raises:
        NotFound: the execution belongs to no known order.
    """
    snapshot = orders.load(workflow.order_of_execution(execution_arn.rpartition(":")[2]))
    order = snapshot.order
    if order.overall in ENDED or _awaited_execution(order) != execution_arn:
        return None
    fate = workflow.fate_of(status, error)
    if fate is Fate.FAILED and order.failed_runs:
        _leave_to_the_sweep(order, clock() + GRACE)
    elif not (fate is Fate.FAILED and order.provider_down_since):
        _synced(snapshot, SYSTEM, clock, fate)
    return UNWINDING if order.overall is OverallStatus.ROLLING_BACK else FULFILLMENT


def _leave_to_the_sweep(order: Order, soon: datetime) -> None:
    """Has the sweep look at the order soon: it is due only when all waits ahead are over, days where a carrier delivers."""
    if order.due_at and order.due_at > soon:
        indexes.postpone(indexes.Reference(order.order_id, keys.due_sort(order.order_id, order.due_at)), soon)


def _synced(snapshot: Snapshot, by: str, clock: Clock, fate: Fate | None = None) -> Snapshot:
    """The order once it is repaired; ``fate`` is what became of its execution, where that is known already."""
    order_id = snapshot.order.order_id
    if snapshot.order.due_at is not None and inbound.replay(snapshot, clock):
        snapshot = orders.load(order_id)
        fate = None
    paid = _with_payment(snapshot, clock)
    if paid.order.version != snapshot.order.version:
        return paid
    order = snapshot.order
    # With the carrier's reports it goes on, with an execution or without: the sweep does not ask for one.
    is_unasked = fate is None and by == SYSTEM and arrivals.is_up_to_the_carrier(snapshot)
    if order.due_at is None or order.overall in ENDED or order.hold or is_unasked:
        return snapshot
    fate = _as_counted(order, fate or workflow.fate(_awaited_execution(order)))
    if fate is Fate.RUNNING:
        return snapshot
    if fate is Fate.FAILED and order.failed_runs + 1 >= MOST_FAILED_RUNS and order.status in CANCELLABLE and not order.is_over:
        return apply(order_id, lambda now: _given_up(now, clock()))
    waits = settings.waits()
    reason = "The workflow was not running"

    def restart(found: Snapshot) -> Change | None:
        if found.order.version != order.version:
            return None
        return restarting.restart(found, waits, clock(), by, reason, fate)

    return apply(order_id, restart, snapshot)


def _given_up(snapshot: Snapshot, now: datetime) -> Change | None:
    """The end of an order whose workflow fails again and again; of one whose customer is asked, what is there is put back."""
    why, reason = "The order could not be completed.", CancelReason.EXPIRED
    return shortage.unanswered(snapshot, now, why, reason) or ending.fail(snapshot, reason, why, now)


def _as_counted(order: Order, fate: Fate) -> Fate:
    """A run that failed because the payment provider takes no calls says nothing about the order: it is not counted."""
    return Fate.STOPPED if fate is Fate.FAILED and order.provider_down_since else fate


def _with_payment(snapshot: Snapshot, clock: Clock) -> Snapshot:
    """The order once what is left to do for its payment is done: looked up, captured, released."""
    asked = charging.look_up_payment(snapshot, clock)
    return capturing.keep(capturing.settle(asked, clock), clock)


def _awaited_execution(order: Order) -> str:
    """The execution that should process the order."""
    unwinding = workflow.unwinding_arn(order)
    return unwinding if order.overall is OverallStatus.ROLLING_BACK and unwinding else workflow.fulfillment_arn(order)


# --- all of them ---


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of one sweep: ``overdue`` is how many parcels it has reported so.

    ``cursor`` is where the next one continues, ``None`` when all orders were reached.
    """

    looked_at: int
    restarted: tuple[OrderId, ...]
    failures: Mapping[OrderId, Exception]
    throttled: int
    overdue: int
    cursor: str | None


class Pace:
    """Limits calls to an even rate, so that a quota that refills at this rate is never used up."""

    def __init__(self, per_second: float, now: Callable[[], float] | None = None, sleep: Callable[[float], None] | None = None):
        self._between = 1 / per_second
        self._now = now or time.monotonic
        self._sleep = sleep or time.sleep
        self._next = self._now()

    def __call__(self) -> None:
        """Waits for its turn."""
        now = self._now()
        if self._next > now:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._between


class Sweep:
    """One invocation's walk through the index of open orders, the longest overdue first.

    ``everything`` takes the open orders that are not due yet too. It moves none of them in the index, so that following its
    cursor ends; those whose workflow is started since the first invocation are attended to and left out.
    """

    def __init__(self, *, everything: bool, cursor: str | None, clock: Clock = utc_now) -> None:
        began, _, after = (cursor or "").partition(" ")
        self._everything = everything
        self._clock = clock
        self._began = moment(began) if began else clock()
        self._after = after or None
        self._looked_at = 0
        self._restarted: list[OrderId] = []
        self._failures: dict[OrderId, Exception] = {}
        self._throttled = 0
        self._overdue = 0

    def run(self, pace: Callable[[], None], seconds_left: Callable[[], float]) -> Swept:
        """Walks until all were reached, the time is nearly over, or the workflow service is busy."""
        reached_all = False
        try:
            reached_all = self._walk(pace, seconds_left)
        except (StoreBusy, WorkflowBusy):
            self._throttled += 1
        cursor = None if reached_all else f"{timestamp(self._began)} {self._after or ''}"
        return Swept(self._looked_at, tuple(self._restarted), self._failures, self._throttled, self._overdue, cursor)

    def _walk(self, pace: Callable[[], None], seconds_left: Callable[[], float]) -> bool:
        for place in self._places():
            if seconds_left() < ENOUGH_SECONDS:
                return False
            pace()
            self._look_at(place)
            self._after = place.sort
            self._looked_at += 1
        return True

    def _places(self) -> Iterator[indexes.Reference]:
        return indexes.orders_due(None if self._everything else self._began, self._after)

    def _look_at(self, place: indexes.Reference) -> None:
        """Repairs one order. One that cannot be repaired is recorded as failed and moved behind the others.

        Raises:
            WorkflowBusy: no further one should be tried now.
        """
        try:
            if self._repair(place):
                self._restarted.append(place.order_id)
        except WorkflowBusy:
            raise
        except (StoreBusy, OrderChanged):
            self._throttled += 1
        except Exception as failure:  # noqa: BLE001 - whatever it is, the others have their turn, and the caller gets it
            self._failures[place.order_id] = failure
            self._postpone(place)

    def _repair(self, place: indexes.Reference) -> bool:
        """Syncs one order and returns whether that changed it; one that needs no repair is checked again later."""
        before = orders.load(place.order_id)
        if self._is_seen_to(before.order, place):
            return False
        if place.is_refund:
            self._settle(before, place)
            return False
        if place.is_parcel:
            return self._finish(before, place)
        after = _synced(before, SYSTEM, self._clock)
        if after.order.version != before.order.version:
            return True
        if after.order.due_at and after.order.due_at <= self._clock():
            self._look_again_later(after, place)
        return False

    def _is_seen_to(self, order: Order, place: indexes.Reference) -> bool:
        """Whether the order has changed since it was due, or found: what follows from that may not have begun yet."""
        is_of_a_part = place.is_refund or place.is_parcel
        if self._everything:
            return order.updated_at >= self._began and (is_of_a_part or self._is_being_started(order))
        return not is_of_a_part and order.due_at is not None and order.due_at > self._clock()

    def _is_being_started(self, order: Order) -> bool:
        """Whether a change since the first invocation starts its workflow by itself.

        Any other change needs a workflow that is running, and this one's may be lost.
        """
        wanted = {event.follow_up for event in orders.history(order.order_id) if event.at >= self._began} - {None}
        return FollowUp.START_FULFILLMENT in wanted or (order.overall is OverallStatus.ROLLING_BACK and bool(wanted))

    def _settle(self, snapshot: Snapshot, place: indexes.Reference) -> None:
        """Asks the provider for the order's refunds, less often the longer one takes."""
        pending = [one.created_at for one in refunding.settle(snapshot, self._clock).refunds if one.due_at]
        if pending:
            pause = (self._clock() - min(pending)) / PARTS_OF_THE_WAIT
            self._postpone(place, min(max(pause, GRACE), LONGEST_UNASKED))

    def _finish(self, before: Snapshot, place: indexes.Reference) -> bool:
        """Finishes the hand-overs that a request has begun, and returns whether that changed the order."""
        after = handovers.finish_left(before, self._clock)
        if after.order.version != before.order.version:
            return True
        if handovers.is_left(after):
            self._postpone(place, LONGEST_UNASKED)
        elif not self._everything:
            # Somebody else has handed it over, or the unwinding recalls it.
            indexes.forget(place)
        return False

    def _look_again_later(self, snapshot: Snapshot, place: indexes.Reference) -> None:
        order = snapshot.order
        if any(one.unconfirmed_delivery_at for one in goods.under_way(snapshot)):
            # It stays overdue until staff report what happened to it.
            return
        if order.hold:
            # Late because people want it so: it is counted among the stuck ones, and not repaired.
            self._postpone(place, LONGEST_UNASKED)
        elif order.status is OrderStatus.SHIPPED and arrivals.is_up_to_the_carrier(snapshot):
            self._overdue += arrivals.report_overdue(snapshot, self._clock)
        elif shipping.awaits_warehouse(order):
            late = settings.warehouse_overdue()
            apply(order.order_id, lambda now: shipping.report_overdue_warehouse(now, late, self._clock()), snapshot)
        elif charging.is_awaited(snapshot):
            # A transfer may take days: its provider is asked less often, the longer it takes.
            pause = (self._clock() - order.status_since) / PARTS_OF_THE_WAIT
            self._postpone(place, min(max(pause, GRACE), LONGEST_UNASKED))
        else:
            self._postpone(place)

    def _postpone(self, place: indexes.Reference, by: timedelta = GRACE) -> None:
        if not self._everything:
            indexes.postpone(place, self._clock() + by)


def sweep(
    *,
    everything: bool = False,
    cursor: str | None = None,
    seconds_left: Callable[[], float] = lambda: math.inf,
    clock: Clock = utc_now,
) -> Swept:
    """Repairs each order that is overdue (or every open one), paced below the quota of what it asks the workflow service."""
    return Sweep(everything=everything, cursor=cursor, clock=clock).run(Pace(settings.sweep_rate()), seconds_left)
