"""Repairing an order, and looking at its workflow, for support."""

from orders.adapters import workflow
from orders.adapters.store import orders
from orders.domain.order import timestamp
from orders.services import recovery
from orders.web.http import Answer, Request, answer, order_answer, serve


def sync_order(request: Request) -> Answer:
    """Derives the order anew from its facts and restarts what is lost."""
    from orders.web import requests  # noqa: PLC0415 - looking at a workflow takes no body

    request.parse(requests.Empty)
    snapshot = recovery.sync(request.order_id, request.caller.subject)
    return order_answer(request, snapshot)


def get_execution(request: Request) -> Answer:
    """The order's workflow as the service has it: definition, status, and history events of both machines."""
    order = orders.load_order(request.order_id)
    unwinding = workflow.unwinding_arn(order)
    body = {
        "order_id": order.order_id,
        "fulfilment": _execution(workflow.view(workflow.fulfilment_arn(order))),
        "unwinding": _execution(workflow.view(unwinding)) if unwinding else None,
    }
    return answer(body, version=order.version)


def _execution(view: dict[str, object] | None) -> dict[str, object] | None:
    return view and workflow.fit_to_show(view, timestamp)


handler = serve({"POST /orders/{id}/sync": sync_order, "GET /orders/{id}/execution": get_execution})
