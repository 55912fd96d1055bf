"""Workflow step: take the order's goods out of stock."""

from orders.domain.decisions import reviewing
from orders.domain.steps import OutOfStock
from orders.services import fulfilling
from orders.tasks import Event, refused, result, takes_outcomes, task


@task
def handler(event: Event) -> dict[str, object]:
    """Reserves the stock; definitions of earlier releases wait for ``ApprovalPending`` where a review comes next."""
    try:
        snapshot = fulfilling.reserve_stock(event["order_id"])
    except OutOfStock as refusal:
        return refused(event, refusal)
    if not takes_outcomes(event):
        reviewing.review_answered(snapshot.order)
    return result(snapshot)
