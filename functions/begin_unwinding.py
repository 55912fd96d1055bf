"""Workflow step: a step failed permanently; record which and why; the unwinding follows."""

from orders.services import fulfilling
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Marks the failed step and what is to be undone."""
    failure = event["failure"]
    return result(fulfilling.begin_unwinding(event["order_id"], failure["Error"], failure.get("Cause", "")))
