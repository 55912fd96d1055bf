"""An order's executions as the workflow service has them, for the desk's viewer."""

from collections.abc import Mapping
from typing import Any

from orders.adapters import workflow
from orders.domain.order import Order, timestamp


def executions(order: Order) -> dict[str, Mapping[str, Any] | None]:
    """The executions of both machines: definition, status and history events; ``None`` for one that is not there."""
    unwinding = workflow.unwinding_arn(order)
    return {
        "fulfilment": _shown(workflow.fulfillment_arn(order)),
        "unwinding": _shown(unwinding) if unwinding else None,
    }


def _shown(execution_arn: str) -> Mapping[str, Any] | None:
    view = workflow.view(execution_arn)
    return view and workflow.fit_to_show(view, timestamp)
