"""Workflow step: charge the order, at most once, or accept cash on delivery."""

from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Charges the payment."""
    return result(fulfilling.charge_payment(event["order_id"]))
