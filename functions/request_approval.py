"""Workflow step: ask for the manual review; the machine waits until its task token is returned."""

from orders.services import fulfilling
from orders.tasks import Event, task


@task
def handler(event: Event) -> dict[str, object]:
    """Keeps the task token with the order, so that the review's decision finds it."""
    fulfilling.request_approval(event["order_id"], event["task_token"], event["seconds"], run=event.get("run"))
    return {}
