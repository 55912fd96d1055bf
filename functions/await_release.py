"""Workflow step: wait for the release of an order on hold; the machine waits until its task token is returned."""

from orders.services import holding
from orders.tasks import Event, task


@task
def handler(event: Event) -> dict[str, object]:
    """Keeps the task token with the order, so that the release finds it."""
    holding.await_release(event["order_id"], event["task_token"], run=event.get("run"))
    return {}
