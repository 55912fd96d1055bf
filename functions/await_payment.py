"""Workflow step: wait for the payment's confirmation; the machine waits until its task token is returned."""

from orders.services import charging
from orders.tasks import Event, task


@task
def handler(event: Event) -> dict[str, object]:
    """Keeps the task token with the order, so that whatever decides the payment finds it."""
    charging.await_payment(event["order_id"], event["task_token"], event["seconds"], run=event.get("run"))
    return {}
