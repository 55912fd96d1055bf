"""Unwinding step: refund the payment, or void an intent that was not charged."""

from orders.services import refunding
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Refunds or voids the payment."""
    return result(refunding.unwind_payment(event["order_id"]))
