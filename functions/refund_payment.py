"""Unwinding step: refund the payment, or void an intent that was not charged."""

from orders.services import charging
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Refunds or voids the payment."""
    return result(charging.refund_payment(event["order_id"]))
