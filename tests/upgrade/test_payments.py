"""Payments that edition one wrote, literally, and what it reads of those that it does not know."""

from typing import Any

import pytest

from orders.adapters.store import items, keys
from orders.domain import legacy
from orders.domain.identifiers import OrderId
from orders.domain.statuses import PaymentStatus
from tests.upgrade.lives import ID, START, place
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import SharedTable

STAFF: dict[str, Any] = {"by": "grace", "groups": ["support"]}
EDITION_ONE = {"PENDING", "PROCESSING", "COMPLETED", "FAILED", "REFUNDED"}
NEW = [status for status in PaymentStatus if status.value not in EDITION_ONE]


def row(status: str, method: str = "CREDIT_CARD", **more: str) -> dict[str, Any]:
    """A payment's item as edition one wrote it."""
    texts = {
        "PK": "ORDER#order-1",
        "SK": "#PAYMENT",
        "kind": "payment",
        "order_id": "order-1",
        "payment_id": "pay-019aa13c-7400-7000-8000-000000000001",
        "status": status,
        "currency": "USD",
        "method": method,
        **more,
    }
    return {**{name: {"S": text} for name, text in texts.items()}, "amount": {"N": "3000"}}


@pytest.mark.parametrize(
    ("item", "provider", "captured", "refunded"),
    [
        (row("PROCESSING"), "simulated", 0, 0),
        (row("COMPLETED"), "simulated", 3000, 0),
        (row("REFUNDED"), "simulated", 3000, 3000),
        (row("FAILED", failure_reason="Voided before it was charged"), "simulated", 0, 0),
        (row("PENDING", "CASH_ON_DELIVERY"), "cash", 0, 0),
        (row("COMPLETED", "CASH_ON_DELIVERY"), "cash", 3000, 0),
    ],
)
def test_a_payment_of_edition_one_means_what_it_meant(
    item: dict[str, Any], provider: str, captured: int, refunded: int
) -> None:
    payment = items.payment_from_item(item)
    assert payment.status.value == item["status"]["S"], "one that was voided said FAILED then"
    assert (payment.provider, payment.amount_captured, payment.amount_refunded) == (provider, captured, refunded)
    assert (payment.provider_reference, payment.next_action, payment.created_at) == (None, None, None)


def test_a_status_that_an_older_release_has_moved_counts_with_what_it_means_for_the_sums() -> None:
    partly = row("REFUNDED", exact_status="PARTIALLY_REFUNDED", provider="simulated")
    payment = items.payment_from_item({**partly, "amount_captured": {"N": "3000"}, "amount_refunded": {"N": "1000"}})
    assert (payment.status, payment.left) == (PaymentStatus.REFUNDED, 0)
    completed = items.payment_from_item(row("COMPLETED", exact_status="REQUIRES_ACTION", provider="simulated"))
    assert (completed.status, completed.left) == (PaymentStatus.COMPLETED, 3000)


@pytest.mark.parametrize("status", NEW)
def test_edition_one_reads_a_payment_whose_status_it_does_not_have(
    table: SharedTable, old: Release, new: Release, status: PaymentStatus
) -> None:
    table.release = new
    for call in (place(), *START):
        call(table)
    item = table.raw(keys.payment_key(OrderId(ID)))
    nearest = legacy.payment_status(status.value)
    assert nearest in EDITION_ONE
    table.put(item | {"status": {"S": nearest}, "exact_status": {"S": status.value}})
    shown = []
    for table.release in (old, new):
        answer = table.http("GET /orders/{id}", ID, **STAFF)
        assert answer.status == 200, answer.text
        shown.append(answer.body["payment"]["status"])
    assert shown == [nearest, status.value]
