"""Unwinding step: put the goods back into stock."""

from orders.domain.decisions import unwinding
from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Releases the stock."""
    return result(fulfilling.record(event["order_id"], unwinding.release_stock))
