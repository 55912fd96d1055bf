"""Unwinding step: recall the parcel from the carrier."""

from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Recalls the parcel."""
    return result(fulfilling.recall_shipment(event["order_id"]))
