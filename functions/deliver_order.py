"""Workflow step: the transit is over."""

from orders.services import deliveries
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Records the delivery, or reports the parcel as overdue where only the carrier may say that it arrived."""
    return result(deliveries.deliver(event["order_id"]))
