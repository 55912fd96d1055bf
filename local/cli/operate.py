"""What an operator does to a running stack, on this machine or on AWS: send again what failed, hand over or erase a
customer's data. docs/runbook.md says when.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from local.cli.client import Api, url_of
from local.cli.dead_letters import redrive_dead_letters
from local.cli.place import NotPossible, Place
from local.cli.progress import saying
from local.people import ADMIN
from local.stack.sweeping import SweepTotals

MACHINES = {"FulfilMachineArn": "fulfilment", "UnwindMachineArn": "unwinding"}
ENDED_BADLY = ("FAILED", "TIMED_OUT", "ABORTED")


# --- executions ---------------------------------------------------------------------------------------------


def redrive_executions(place: Place) -> dict[str, Any]:
    """Redrives failed executions for which their orders still wait.

    The local engine has no redrive: the product's own sweep restarts those orders' workflows, as it does on AWS too.
    """
    if place.is_local:
        return {"swept": sweep(place)}
    place.enter()
    states = place.client("stepfunctions")
    redriven = []
    for output, kind in MACHINES.items():
        for execution in _ended_badly(states, place.outputs[output]):
            if _is_awaited(execution["name"], kind) and _can_go_on(states, execution["executionArn"]):
                states.redrive_execution(executionArn=execution["executionArn"])
                redriven.append(execution["name"])
    return {"redriven": redriven}


def _ended_badly(states: Any, machine: str) -> Iterator[Mapping[str, Any]]:
    for status in ENDED_BADLY:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter=status)
        for page in pages:
            yield from page["executions"]


def _is_awaited(name: str, kind: str) -> bool:
    """Whether the order still waits for this very execution: the sweep may have started another one."""
    from orders.adapters import workflow  # noqa: PLC0415 - the product's own, once it knows its table
    from orders.adapters.store import orders  # noqa: PLC0415 - the product's own, once it knows its table
    from orders.domain.errors import NotFound  # noqa: PLC0415
    from orders.domain.statuses import OverallStatus  # noqa: PLC0415

    try:
        order = orders.load_order(workflow.order_of_execution(name))
    except NotFound:
        return False
    if kind == "unwinding":
        unwinds = order.overall is OverallStatus.ROLLING_BACK
        return unwinds and name == workflow.execution_name(order.order_id, order.unwind_run)
    return not order.is_over and name == workflow.execution_name(order.order_id, order.run)


def _can_go_on(states: Any, arn: str) -> bool:
    return str(states.describe_execution(executionArn=arn).get("redriveStatus")) == "REDRIVABLE"


def sweep(place: Place) -> dict[str, Any]:
    """Sweeps every open order, in as many invocations as that takes.

    Raises:
        NotPossible: the sweep failed, or could not get further.
    """
    if place.is_local:
        result: dict[str, Any] = Api(place.url).call("POST", "/.local/sweep", {})
    else:
        swept, function = SweepTotals(), f"{place.stack}-sweep-orders:live"
        while swept.goes_on:
            event = json.dumps({"everything": True} | swept.where).encode()
            answer = place.client("lambda").invoke(FunctionName=function, Payload=event)
            told = json.loads(answer["Payload"].read())
            swept.add({"error": told.get("errorMessage")} if "FunctionError" in answer else told)
        result = swept.result
    if "error" in result:
        raise NotPossible(f"{result.pop('error')} So far: {json.dumps(result)}")
    return result


# --- webhooks -----------------------------------------------------------------------------------------------


LEFT_AFTER = timedelta(minutes=30)
"""How long past its time a pending delivery counts as left behind: twice as long as the queue ever holds one back."""


def redrive_webhooks(api: Api, webhook_id: str | None, now: datetime) -> dict[str, int]:
    """Sends every delivery again that was given up, or that is pending with nothing scheduled: its message was lost.

    To one endpoint, or to all that are not disabled; answers how many for each.
    """
    hooks = api.call("GET", "/webhooks")["webhooks"]
    ids = [webhook_id] if webhook_id else [hook["webhook_id"] for hook in hooks if hook["status"] == "ACTIVE"]
    return {each: sum(_send_again(api, each, delivery, now) for delivery in _deliveries(api, each)) for each in ids}


def _deliveries(api: Api, webhook_id: str) -> Iterator[Mapping[str, Any]]:
    cursor = ""
    while True:
        page = api.call("GET", f"/webhooks/{webhook_id}/deliveries?limit=100{cursor}")
        yield from page["deliveries"]
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _send_again(api: Api, webhook_id: str, delivery: Mapping[str, Any], now: datetime) -> bool:
    if delivery["status"] != "FAILED" and not _is_left(delivery, now):
        return False
    api.call("POST", f"/webhooks/{webhook_id}/deliveries/{delivery['delivery_id']}/redeliver", {})
    return True


def _is_left(delivery: Mapping[str, Any], now: datetime) -> bool:
    """Whether a delivery's time has long passed: one whose message still exists is attempted when it is due."""
    # A first attempt, and one asked for by hand, are due at once: the attempts before say when that was at the earliest.
    made = [attempt["at"] for attempt in delivery["attempts"]]
    due = delivery["next_attempt_at"] or max([delivery["created_at"], *made])
    return bool(delivery["status"] == "PENDING" and datetime.fromisoformat(due) + LEFT_AFTER < now)


# --- one customer's data ------------------------------------------------------------------------------------


def export(place: Place, customer_id: str) -> Mapping[str, Any]:
    """A customer's stored data."""
    place.enter()
    from orders.domain.identifiers import CustomerId  # noqa: PLC0415
    from orders.web import personal_data  # noqa: PLC0415 - the product's own, once it knows its table

    return personal_data.export(CustomerId(customer_id))


def erase(place: Place, customer_id: str, by: str) -> dict[str, Any]:
    """Erases a customer's personal data; refuses while one of their orders is open."""
    place.enter()
    from orders.domain.errors import ConstraintViolated  # noqa: PLC0415
    from orders.domain.identifiers import CustomerId  # noqa: PLC0415
    from orders.services import privacy  # noqa: PLC0415

    try:
        return {"customer_id": customer_id, "erased_orders": privacy.erase(CustomerId(customer_id), by)}
    except ConstraintViolated as refusal:
        raise NotPossible(refusal.detail) from refusal


# --- the command line ---------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """Carries out the command, and prints its result."""
    acts: Mapping[str, Callable[[Place, argparse.Namespace], Any]] = {
        "redrive": _redrive,
        "sweep": lambda place, _: sweep(place),
        "export": lambda place, asked: export(place, asked.customer_id),
        "erase": lambda place, asked: erase(place, asked.customer_id, asked.by),
    }
    try:
        with saying(f"orders {options.command}"):
            done = acts[options.command](Place(options.stack, url_of(options.url)), options)
    except NotPossible as reason:
        print(f"orders: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(done, indent=2))
    return 0


def _redrive(place: Place, options: argparse.Namespace) -> Any:
    if options.what in {"dead-letters", "letters"}:
        return redrive_dead_letters(place)
    if options.what == "executions":
        return redrive_executions(place)
    url = place.url if place.is_local else place.outputs["ApiUrl"]
    return redrive_webhooks(Api(url).signed_in(ADMIN.subject, ADMIN.groups), options.webhook_id, datetime.now(UTC))
