"""Workflow step: a step was refused or failed permanently; record which and why; the unwinding follows."""

from orders.domain import outcomes
from orders.services import failing
from orders.tasks import Event, result, task


@task
def handler(event: Event) -> dict[str, object]:
    """Marks the failed step and what is to be undone, and reports why the order is not fulfilled.

    ``so_far`` is the execution's data; the definitions of earlier releases pass on the failure alone.
    """
    so_far = event.get("so_far", event)
    snapshot = failing.begin_unwinding(event["order_id"], *failing.failure_of(so_far), run=event.get("run"))
    return result(snapshot) | outcomes.why_not_fulfilled(snapshot.order, event.get("run"))
