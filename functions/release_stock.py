"""Unwinding step: put the goods back into stock."""

from orders.services import fulfilling
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Releases the stock."""
    return standing(fulfilling.release_stock(event["order_id"]))
