"""Unwinding step: close the order with its reason."""

from orders.domain.decisions import unwinding
from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Closes the order."""
    return result(fulfilling.record(event["order_id"], unwinding.close))
