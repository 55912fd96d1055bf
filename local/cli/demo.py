"""Three orders on a temporary stack, followed until their end: one delivered, one declined and unwound, one flaky."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.cli.client import Api
from local.cli.rendering import money, paint, print_order, words
from local.cli.serving import EXAMPLE
from local.people import CUSTOMER
from local.stack.running import running
from local.stack.settings import Settings
from orders.domain.statuses import OrderStatus, StepStatus

PATIENCE = 35.0


@dataclass
class Watched:
    letter: str
    token: str
    says: str
    expected: str
    order_id: str = ""
    placed_at: float = 0.0
    seen: int = 0
    steps: dict[str, str] = field(default_factory=dict)
    status: str = ""

    def over(self) -> bool:
        return self.status in {OrderStatus.DELIVERED, OrderStatus.CANCELLED}


def demo() -> int:
    orders = [
        Watched("A", "tok_ok", "a good card", OrderStatus.DELIVERED),
        Watched("B", "tok_declined", "a card that is declined", OrderStatus.CANCELLED),
        Watched("C", "tok_flaky_2", "a gateway that fails twice, then works", OrderStatus.DELIVERED),
    ]
    began = time.monotonic()
    print("Starting a temporary stack from template.yaml ...", flush=True)
    with running(Settings()) as stack:
        print(f"Up in {time.monotonic() - began:.1f} s at {stack.url}\n")
        api = Api(stack.url, stack.token(CUSTOMER.subject))
        for order in orders:
            _place(api, order)
        print()
        _follow(api, orders)
        print()
        for order in orders:
            _tell(api, order)
    return _close(orders)


def _place(api: Api, order: Watched) -> None:
    body = {**EXAMPLE, "payment": {"method": "CREDIT_CARD", "token": order.token}}
    placed = api.call("POST", "/orders", body)["order"]
    order.order_id, order.placed_at = placed["order_id"], _epoch(placed["created_at"])
    print(f"  {paint(order.letter, 'bold')}  {order.order_id}  {money(placed['total']):>10}  {order.says}")


def _follow(api: Api, orders: list[Watched]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all(order.over() for order in orders) and time.monotonic() < deadline:
        news = [line for order in orders for line in _news(api, order)]
        for _, line in sorted(news):
            print(line, flush=True)
        time.sleep(0.1)


def _news(api: Api, order: Watched) -> list[tuple[float, str]]:
    """What happened to the order since the last call: its events, and the steps that changed."""
    history = _history(api, order)
    events = history[order.seen :]
    if not events:
        return []
    progress = api.call("GET", f"/orders/{order.order_id}/status")
    # Where more has happened meanwhile, the progress may be that of a later event: it is shown with that one.
    moved = _moved(order, progress["steps"]) if len(_history(api, order)) == len(history) else ""
    order.seen = len(history)
    lines = []
    for place, event in enumerate(events):
        changed = event["status"] != order.status
        order.status = event["status"]
        note = event.get("reason") or (moved if place == len(events) - 1 else "")
        lines.append((_epoch(event["timestamp"]), _line(order, event, changed, note)))
    return lines


def _history(api: Api, order: Watched) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("GET", f"/orders/{order.order_id}/history")["history"]
    return found


def _moved(order: Watched, steps: list[dict[str, Any]]) -> str:
    """The steps whose status is another one than when they were last looked at."""
    moved = [
        f"{step['name']}: {step['status'].replace('_', ' ').lower()}"
        for step in steps
        if step["status"] not in {StepStatus.PENDING, StepStatus.SKIPPED, order.steps.get(step["name"])}
    ]
    order.steps = {step["name"]: step["status"] for step in steps}
    return ", ".join(moved)


def _line(order: Watched, event: dict[str, Any], changed: bool, note: str) -> str:
    seconds = _epoch(event["timestamp"]) - order.placed_at
    status = f"{event['status']:<10}"
    shown = paint(status, event["status"]) if changed else paint(status, "dim")
    what = f"{words(event['event_type']):<20}"
    return f"{seconds:7.2f} s  {paint(order.letter, 'bold')}  {shown}  {what}  {paint(note, 'dim')}".rstrip()


def _tell(api: Api, order: Watched) -> None:
    path = f"/orders/{order.order_id}"
    found, history = api.call("GET", path), api.call("GET", f"{path}/history")["history"]
    print_order(f"{paint(order.letter, 'bold')}  {order.order_id}  ", found, history)
    print()


def _close(orders: list[Watched]) -> int:
    wrong = [order for order in orders if order.status != order.expected]
    for order in wrong:
        print(paint(f"{order.letter} ended as {order.status or 'unknown'}; expected {order.expected}.", "red"))
    if not wrong:
        print("All three orders ended as expected.\n")
        print("Next:")
        print("  .venv/bin/orders serve   a stack that keeps running; it says where its tokens are")
        print("                           then open http://127.0.0.1:3000/admin, or an order's tracking_url")
        print("  make test                all checks and all tests")
        print("  docs/architecture.md     how it works, and why")
    return 1 if wrong else 0


def _epoch(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
