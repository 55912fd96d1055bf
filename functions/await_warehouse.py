"""Workflow step: wait for the warehouse; the machine waits until all that is wanted is handed over."""

from orders.services import handovers
from orders.tasks import Event, task


@task
def handler(event: Event) -> dict[str, object]:
    """Keeps the task token with the order, so that whatever hands over the last of it finds it."""
    handovers.await_warehouse(event["order_id"], event["task_token"], run=event.get("run"))
    return {}
