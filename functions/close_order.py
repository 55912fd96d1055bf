"""Unwinding step: close the order with its reason."""

from orders.services import fulfilling
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Closes the order."""
    return standing(fulfilling.close_order(event["order_id"]))
