"""Unwinding step: get the parcel back from the carrier."""

from orders.services import fulfilling
from orders.tasks import Event, standing, task


@task
def handler(event: Event) -> dict[str, object]:
    """Recalls the parcel."""
    return standing(fulfilling.recall_shipment(event["order_id"]))
