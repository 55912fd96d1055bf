"""Unwinding step: close the order with its reason."""

from orders.services import fulfilling as fulfilment
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Closes the order."""
    return standing(fulfilment.close_order(event["order_id"]))
