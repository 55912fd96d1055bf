"""Unwinding step: give the money back, or void an intent that was never charged."""

from orders.services import fulfilling as fulfilment
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Refunds or voids the payment."""
    return standing(fulfilment.refund_payment(event["order_id"]))
