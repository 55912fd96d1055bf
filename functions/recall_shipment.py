"""Unwinding step: recall the parcel from the carrier."""

from orders.services import handovers
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Recalls the parcel."""
    return result(handovers.recall_shipment(event["order_id"]))
