"""Workflow step: charge the order, at most once, or accept cash on delivery."""

from orders.domain.steps import PaymentDeclined
from orders.services import charging
from orders.tasks import Event, refused, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Charges the payment."""
    try:
        return result(charging.charge_payment(event["order_id"]))
    except PaymentDeclined as refusal:
        return refused(event, refusal)
