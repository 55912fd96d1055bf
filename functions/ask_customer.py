"""Workflow step: ask the customer about a shortage; the machine waits until its task token is returned."""

from orders.services import fulfilling
from orders.tasks import Event, task


@task
def handler(event: Event) -> dict[str, object]:
    """Keeps the task token with the order, so that the customer's answer finds it."""
    fulfilling.ask_customer(event["order_id"], event["task_token"], event["seconds"], run=event.get("run"))
    return {}
