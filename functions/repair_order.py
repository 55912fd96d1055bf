"""Repairing an order, and reading its executions, for support."""

from orders.services import executions, reading, recovery
from orders.web.handling import Answer, Request, answer, serve
from orders.web.orders import order_answer


def sync_order(request: Request) -> Answer:
    """Restarts a lost workflow and applies missed scans."""
    from orders.web import bodies  # noqa: PLC0415 - looking at a workflow takes no body

    request.parse(bodies.Empty)
    snapshot = recovery.sync(request.order_id, request.caller.subject)
    return order_answer(request, snapshot)


def get_execution(request: Request) -> Answer:
    """The order's workflow as the service has it: definition, status, and history events of both machines."""
    order = reading.order(request.order_id)
    return answer({"order_id": order.order_id, **executions.executions(order)}, version=order.version)


handler = serve({"POST /orders/{id}/sync": sync_order, "GET /orders/{id}/execution": get_execution})
