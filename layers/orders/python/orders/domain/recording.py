"""One change of an order: the new version, its audit event, the signals and measures that follow from it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from orders.domain import facts, goods, stock_figures
from orders.domain.errors import ConstraintViolated, IllegalTransition
from orders.domain.events import SYSTEM, EventType, FollowUp, Signal
from orders.domain.order import Change, Event, Measures, Order
from orders.domain.parcels import Shipment
from orders.domain.payment import Payment
from orders.domain.refund import Refund
from orders.domain.returns import Return
from orders.domain.statuses import TRANSITIONS, OrderStatus, OverallStatus, PaymentStatus, StepStatus, has_reached, may_become
from orders.domain.steps import StepName


def move(
    before: Order, after: Order, status: OrderStatus, kind: EventType, now: datetime, by: str = SYSTEM, **rest: Any
) -> Change:
    """The order in another status; raises where the allowed transitions have no such step."""
    if not may_become(before.status, status):
        raise IllegalTransition(before.status, status, TRANSITIONS[before.status])
    if status is OrderStatus.CONFIRMED and not before.pays_on_delivery:
        raise ConstraintViolated("Only a cash-on-delivery order can be confirmed before payment.", order_status=before.status)
    moved = goods.as_implied(replace(after, status=status, status_since=now))
    return change(before, moved, kind, now, by, **rest)


def change(  # noqa: PLR0913 - everything that can be part of one atomic change
    before: Order,
    after: Order,
    kind: EventType,
    now: datetime,
    by: str = SYSTEM,
    *,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    follow_up: FollowUp | None = None,
    payment: Payment | None = None,
    shipment: Shipment | None = None,
    stock: Mapping[str, int] | None = None,
    returns: tuple[Return, ...] = (),
    refunds: tuple[Refund, ...] = (),
) -> Change:
    """The order's next version, with its event and all that is written beside it."""
    # Clocks of two functions may differ: a later version is never stamped earlier than the one it follows.
    at = max(now, before.updated_at)
    if _has_progressed(before, after):
        after = replace(after, failed_runs=0, provider_down_since=None)
    token = None if _is_past_charging(after, payment) else after.payment_token
    counted = stock_figures.due(before, after)
    order = replace(after, version=before.version + 1, updated_at=at, payment_token=token, counted=counted)
    known = {**(metadata or {}), **_facts(kind, payment, shipment, stock or {})}
    known = {**facts.of_further_returns(returns, known), **known, **facts.of_refunds(refunds)}
    written = event(before, order, kind, at, by, reason=reason, metadata=known, follow_up=follow_up)
    parcels, figures = (shipment,) if shipment else (), stock_figures.moves(order, before.counted, counted)
    return Change(before, order, written, payment, parcels, stock or {}, returns=returns, refunds=refunds, figures=figures)


def _facts(kind: EventType, payment: Payment | None, shipment: Shipment | None, stock: Mapping[str, int]) -> Mapping[str, Any]:
    """What the change writes beside the order; of what others report the trail holds what they said, and no more."""
    if kind in (EventType.FULFILLMENT_RECORDED, EventType.FULFILLMENT_REFUSED):
        return {}
    return {
        **facts.of_payment(payment),
        **facts.of_parcel(shipment),
        **facts.of_part(shipment),
        **(facts.of_goods(stock) if stock else {}),
    }


def _has_progressed(before: Order, after: Order) -> bool:
    """Whether the order or one of its steps has got further: what failed before has been overcome."""
    moved = any(old.status is not new.status for old, new in zip(before.steps, after.steps, strict=True))
    return moved or before.status is not after.status


def _is_past_charging(order: Order, payment: Payment | None) -> bool:
    """Whether the customer's payment token can be of no use any more: the money is there, or will never be asked for."""
    settled = payment is not None and payment.status is not PaymentStatus.PROCESSING
    return order.is_over or settled or has_reached(order.status, OrderStatus.CONFIRMED)


def event(  # noqa: PLR0913 - an event has that many facts
    before: Order | None,
    after: Order,
    kind: EventType,
    now: datetime,
    by: str,
    *,
    reason: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    follow_up: FollowUp | None = None,
) -> Event:
    """The audit event of a change, with the signals and measures that follow from it."""
    return Event(
        order_id=after.order_id,
        customer_id=after.customer_id,
        version=after.version,
        type=kind,
        status=after.status,
        old_status=before.status if before else None,
        at=now,
        by=by,
        reason=reason,
        metadata=metadata or {},
        signals=_signals(before, after),
        measures=_measures(before, after, now),
        follow_up=follow_up,
    )


def _measures(before: Order | None, after: Order, now: datetime) -> Measures | None:
    if before is None:
        return Measures(after.total, None, {})
    if before.status is after.status:
        return None
    # Cash is collected with the parcel: that its payment step ends only then says nothing about how long payments take.
    skipped = StepName.PAYMENT if after.pays_on_delivery else None
    seconds = {
        step.name: (step.completed_at - step.started_at).total_seconds()
        for step in after.steps
        if step.status is StepStatus.COMPLETED and step.name is not skipped
        if step.started_at and step.completed_at and step.completed_at > before.status_since
    }
    return Measures(after.total, (now - before.status_since).total_seconds(), seconds)


_SIGNAL_OF = {
    StepStatus.IN_PROGRESS: (Signal.STEP_STARTED,),
    StepStatus.COMPLETED: (Signal.STEP_COMPLETED,),
    StepStatus.FAILED: (Signal.STEP_FAILED,),
    StepStatus.COMPENSATED: (Signal.STEP_COMPENSATED,),
}


def _signals(before: Order | None, after: Order) -> tuple[tuple[Signal, StepName | None], ...]:
    if before is None:
        return ()
    found: list[tuple[Signal, StepName | None]] = []
    if before.overall is OverallStatus.QUEUED and after.overall is OverallStatus.IN_PROGRESS:
        found.append((Signal.SAGA_STARTED, None))
    for old, new in zip(before.steps, after.steps, strict=True):
        if old.status is new.status:
            continue
        if old.status is StepStatus.PENDING and new.status is StepStatus.COMPLETED:
            found.append((Signal.STEP_STARTED, new.name))
        found.extend((signal, new.name) for signal in _SIGNAL_OF.get(new.status, ()))
    if before.overall is not after.overall:
        found.extend((signal, None) for signal in _OVERALL_SIGNAL.get(after.overall, ()))
    return tuple(found)


STATUS_TOLD_BY: Mapping[Signal, StepStatus] = {signal: status for status, (signal,) in _SIGNAL_OF.items()}
"""The new status of the step that a signal is about; the saga's own signals are about none."""


_OVERALL_SIGNAL = {
    OverallStatus.ROLLING_BACK: (Signal.COMPENSATION_STARTED,),
    OverallStatus.COMPLETED: (Signal.SAGA_COMPLETED,),
    OverallStatus.FAILED: (Signal.SAGA_FAILED,),
    OverallStatus.ROLLED_BACK: (Signal.SAGA_FAILED,),
}
