"""A release over the one before it, with orders under way: each ends as it would have, once; the logs keep its secrets."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.cli.client import Api
from local.engine import internals
from local.stack.running import running, wait_until
from local.stack.settings import ROOT, STACK_NAME, Settings
from local.stack.stack import Stack
from local.stack.template import expand
from tests.harness.bodies import a_body

ADDRESS = {
    "name": "Augusta Ada Byron",
    "line1": "Piccadilly Terrace 13",
    "city": "Kirkby Mallory",
    "postal_code": "LE9 7QE",
    "country": "GB",
}
WAITS = {
    "PaymentWaitSeconds": "1.5",
    "PreparationWaitSeconds": "1.5",
    "DeliveryWaitSeconds": "1.5",
    "ApprovalTimeoutSeconds": "3600",
}
NO_ALIAS = "        MACHINE_ALIAS: !Ref MachineAlias\n"


def release_before(folder: Path) -> Path:
    """What this template may have looked like a release ago: other state names, fewer functions and variables, less memory."""
    shutil.copytree(ROOT / "statemachine", folder / "statemachine")
    machine = folder / "statemachine/fulfill_order.asl.json"
    text = machine.read_text(encoding="utf-8")
    assert "Wait for payment" in text
    machine.write_text(text.replace("Wait for payment", "Let the customer think again"), encoding="utf-8")
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    for gone in (NO_ALIAS, re.search(r"  ReadAnalyticsFunction:\n(?:    .*\n)+", template)[0]):  # type: ignore[index]
        assert template.count(gone) == 1
        template = template.replace(gone, "")
    template = template.replace("MemorySize: 512", "MemorySize: 256").replace(
        "MaximumRetryAttempts: 10", "MaximumRetryAttempts: 5"
    )
    (folder / "template.yaml").write_text(template, encoding="utf-8")
    return folder / "template.yaml"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def stack(tmp_path: Path, told: list[str]) -> Iterator[Stack]:
    settings = Settings(template=release_before(tmp_path), parameters={**WAITS, "LogLevel": "DEBUG"})
    with running(settings) as started:
        started.lambdas.listeners.append(lambda _, text: told.append(text))
        yield started


def update(stack: Stack) -> None:
    """Deploys the template of this release over what runs, as `sam deploy` does: from a bucket, through CloudFormation."""
    template = expand(ROOT / "template.yaml", stack.parameters())
    cloudformation = stack.client("cloudformation")
    stack.client("s3").put_object(Bucket="deployment", Key="next", Body=json.dumps(template).encode())
    cloudformation.update_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{stack.aws_url}/deployment/next",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    record = internals.part("cloudformation", "_stacks")[STACK_NAME]
    wait_until(lambda: not record["StackStatus"].endswith("IN_PROGRESS"))
    assert record["StackStatus"] == "UPDATE_COMPLETE", record.get("StackStatusReason")
    # The handlers run in this process, which has to learn what the engine knows of the functions now. Each takes the place of
    # the one before it: there is no moment without a function, as there is none on AWS.
    stack.lambdas.register(stack.deployment.functions())
    stack.lambdas.preload()


def place(stack: Stack, order_id: str, **changes: Any) -> None:
    body = a_body(order_id=order_id, product="prod-001", shipping_address=ADDRESS) | changes
    Api(stack.url, stack.token("ada")).call("POST", "/orders", body)


def test_fifty_open_orders_end_right_across_an_update(stack: Stack, told: list[str]) -> None:
    desk = Api(stack.url, stack.token("grace", ["support"]))
    cash = {"payment": {"method": "CASH_ON_DELIVERY"}}
    declined = {"payment": {"method": "CREDIT_CARD", "token": "tok_declined"}}
    first = [f"first-{number}" for number in range(20)]
    second = [f"second-{number}" for number in range(15)]
    other: dict[str, dict[str, Any]] = {
        **{f"cash-{number}": cash for number in range(5)},
        **{f"declined-{number}": declined for number in range(4)},
        **{f"reviewed-{number}": {"require_approval": True} for number in range(6)},
    }
    with ThreadPoolExecutor(8) as crew:
        list(crew.map(lambda order_id: place(stack, order_id), first))
        wait_until(lambda: "PENDING" not in _statuses(desk, first))
        # Those that will be cancelled wait for a review, so that it comes in time.
        list(crew.map(lambda order_id: place(stack, order_id, require_approval=order_id in second[:3]), second))
        list(crew.map(lambda order_id: place(stack, order_id, **other[order_id]), other))
        everything = [*first, *second, *other]
        assert len(everything) == 50
        old = _definition(stack)
        assert _statuses(desk, everything).keys() - {"DELIVERED", "CANCELLED"}, "some are open"

        update(stack)

        assert _definition(stack) != old
        race = [(order_id, "cancel") for order_id in second[:3]]
        answers = [(f"reviewed-{number}", "approve" if number < 3 else "reject") for number in range(6)]
        _wait_for_reviews(desk)
        list(
            crew.map(
                lambda asked: desk.call("POST", f"/orders/{asked[0]}/{asked[1]}", {"reason": "as agreed"}), [*race, *answers]
            )
        )
        place(stack, "after")
        wait_until(lambda: _over(desk, [*everything, "after"]))
    wait_until(stack.settled)

    assert _statuses(desk, first) == {"DELIVERED": 20}
    assert _statuses(desk, second) == {"DELIVERED": 12, "CANCELLED": 3}
    assert _statuses(desk, list(other)) == {"DELIVERED": 8, "CANCELLED": 7}
    assert _statuses(desk, ["after"]) == {"DELIVERED": 1}
    kept = _items(stack)
    orders = [item for item in kept if item.get("kind", {}).get("S") == "order"]
    assert {item["run"]["N"] for item in orders} == {"1"}, "no execution had to be started anew"
    assert _money(kept) == {"charged": 41, "declined": 4, "refunded": 0, "voided": 0} | _cancelled_in_time(kept)
    stock = next(item for item in kept if item["PK"]["S"] == "PRODUCT#prod-001")["stock"]["N"]
    assert int(stock) == 100_000 - 41, "what was not delivered is back on the shelf"
    assert "Let the customer think again" in _entered(desk, "second-3"), "it keeps the definition that it began with"
    assert "Wait for payment" in _entered(desk, "after")
    assert [text for text in ADDRESS.values() if len(text) > 2 and any(text in line for line in told)] == []
    assert [line for line in told if "tok_" in line or "Bearer" in line or "task_token" in line or "as agreed" in line] == []
    assert told, "logs were seen"


def _statuses(desk: Api, order_ids: list[str]) -> dict[str, int]:
    return dict(Counter(desk.call("GET", f"/orders/{order_id}")["order"]["status"] for order_id in order_ids))


def _over(desk: Api, order_ids: list[str]) -> bool:
    return all(
        desk.call("GET", f"/orders/{order_id}/status")["overall_status"] in ("COMPLETED", "ROLLED_BACK", "FAILED")
        for order_id in order_ids
    )


def _wait_for_reviews(desk: Api) -> None:
    def asked(number: int) -> bool:
        steps = desk.call("GET", f"/orders/reviewed-{number}/status")["steps"]
        return any(step["name"] == "Manual Review" and step["status"] == "IN_PROGRESS" for step in steps)

    wait_until(lambda: all(asked(number) for number in range(6)))


def _entered(desk: Api, order_id: str) -> set[str]:
    events = desk.call("GET", f"/orders/{order_id}/execution")["fulfilment"]["events"]
    return {event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event}


def _definition(stack: Stack) -> str:
    arn = stack.outputs["FulfilMachineArn"]
    return str(stack.client("stepfunctions").describe_state_machine(stateMachineArn=arn)["definition"])


def _items(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.resources["OrdersTable"])
    return [item for page in pages for item in page["Items"]]


def _of_gateway(items: list[dict[str, Any]], wanted: Callable[[str], bool]) -> list[str]:
    return [state for item in items if item["PK"]["S"].startswith("GATEWAY#") and wanted(state := item["state"]["S"])]


def _money(items: list[dict[str, Any]]) -> dict[str, int]:
    found = Counter(_of_gateway(items, lambda _: True))
    return {"charged": 0, "declined": 0, "refunded": 0, "voided": 0} | dict(found)


def _cancelled_in_time(items: list[dict[str, Any]]) -> dict[str, int]:
    """A cancellation may come before its charge or after it: then the money is back."""
    return dict(Counter(_of_gateway(items, lambda state: state in ("refunded", "voided"))))
