"""The laws of executions: what their histories show, and that each ends as its order's row says."""

from __future__ import annotations

from collections.abc import Iterator

from local.step_functions.execution import Execution
from orders.adapters import workflow
from orders.domain.statuses import OrderStatus
from simulator.books import Account, Books

NOT_FULFILLED = "Not fulfilled"


def executions(books: Books) -> Iterator[str]:
    """An execution succeeds only where its order arrived, and fails with the reason that the row has."""
    for arn, execution in books.world.workflows.executions.items():
        states = execution.machine.definition["States"]
        account = books.accounts.get(workflow.order_of_execution(execution.name))
        if NOT_FULFILLED in states and account is not None:
            entered = [details[0] for kind, _, details in execution.history._events if kind.endswith("StateEntered")]
            error = _error_of_end(execution, account, entered[-1] if entered else None)
            if error:
                yield f"{arn} {error}: {account.story()}"


def _error_of_end(execution: Execution, account: Account, last: str | None) -> str | None:
    arrived = any(event.status is OrderStatus.DELIVERED for event in account.trail)
    if execution.status == "SUCCEEDED" and not arrived:
        return "has succeeded, and its order has not arrived"
    if execution.status != "FAILED" or last != NOT_FULFILLED or execution.error == "States.Runtime":
        return None
    reason = account.order.cancellation and account.order.cancellation.reason
    if execution.error in (reason, "returned", "replaced", "overtaken", "UnwindingNotBegun"):
        return None
    return f"has failed with {execution.error}, and the row says {reason}"


def discretion(books: Books) -> Iterator[str]:
    """No execution shows where an order goes to, to whom, or the token of a card."""
    wishes = books.world.people.by_id()
    for arn, execution in books.world.workflows.executions.items():
        wish = wishes.get(workflow.order_of_execution(execution.name))
        if wish is None:
            continue
        address = wish.body["shipping_address"]
        hidden = {address["name"], address["line1"], wish.body["payment"].get("token")} - {None}
        shown = "\n".join(str(value) for _, _, details in execution.history._events for value in details)
        yield from (f"{arn} shows {word!r}" for word in sorted(hidden) if word in shown)
