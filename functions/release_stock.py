"""Unwinding step: put the goods back into stock."""

from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Releases the stock."""
    return result(fulfilling.release_stock(event["order_id"]))
