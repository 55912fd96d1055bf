"""Workflow step: charge the order, at most once, or accept cash on delivery."""

from orders.domain.errors import OrderOnHold
from orders.domain.steps import PaymentDeclined
from orders.services import charging
from orders.tasks import Event, refused, result, takes_outcomes, task


@task
def handler(event: Event) -> dict[str, object]:
    """Charges the payment; definitions of earlier releases wait for ``PaymentPending`` where it is decided later."""
    try:
        return result(charging.charge_payment(event["order_id"], waits=takes_outcomes(event)))
    except (PaymentDeclined, OrderOnHold) as refusal:
        return refused(event, refusal)
