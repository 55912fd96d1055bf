"""A workflow whose execution ended too early or disappeared is started again."""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from orders.domain import recording
from orders.domain.events import EventType, FollowUp
from orders.domain.order import Change, Order, Snapshot
from orders.domain.statuses import TERMINAL, OrderStatus, OverallStatus, has_reached
from orders.domain.waits import GRACE, Waits, remaining_waits


class Fate(StrEnum):
    """The state of the execution that should process an order."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    """Ended from outside: by a person, or by a restart of the workflow service. It says nothing about the order."""
    FAILED = "FAILED"
    """Ended by itself, before its work was done."""
    MISSING = "MISSING"
    """The workflow service has none with its name: it was never started, or just now (reads are eventually consistent)."""


def restart(snapshot: Snapshot, waits: Waits, now: datetime, by: str, reason: str, fate: Fate = Fate.STOPPED) -> Change | None:
    """Restarts the workflow of an order whose execution is lost; finished steps find their work done.

    An execution that has ended is followed by the next run. One that is missing is asked for again under its own name:
    where it runs all the same, the workflow service takes that for what it has done already, and starts no second one.
    """
    order = replace(snapshot.order, failed_runs=snapshot.order.failed_runs + (fate is Fate.FAILED))
    next_one = 0 if fate is Fate.MISSING else 1
    if order.overall is OverallStatus.ROLLING_BACK:
        after = replace(order, unwind_run=order.unwind_run + next_one, due_at=now + GRACE)
        follow_up = FollowUp.START_UNWINDING
    elif order.is_over or order.status in TERMINAL:
        return None
    else:
        after = replace(order, run=order.run + next_one, due_at=due_again(order, waits, now))
        follow_up = FollowUp.START_FULFILLMENT
    run = {"run": after.unwind_run if follow_up is FollowUp.START_UNWINDING else after.run}
    return recording.change(
        snapshot.order, after, EventType.WORKFLOW_RESTARTED, now, by, reason=reason, metadata=run, follow_up=follow_up
    )


def due_again(order: Order, waits: Waits, now: datetime) -> datetime:
    """When the sweep looks at an order whose workflow goes on now."""
    left = remaining_waits(order, waits, now)
    # Until it is shipped it is due when it should be: the wait for the delivery may be days, and begins with the hand-over.
    transit = left.delivery if has_reached(order.status, OrderStatus.SHIPPED) else 0
    answer = left.shortage if order.is_asked else 0
    return now + timedelta(seconds=answer + left.approval + left.payment + left.preparation + transit) + GRACE
