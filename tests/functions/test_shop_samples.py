"""Orders from the public documentation and samples of other shops' software, placed by a shop: each comes to its own total."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orders.domain.money import MINOR_UNITS, USUAL_MINOR_UNITS
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, World

SAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data/shops/orders.json").read_text(encoding="utf-8"))
WRONG = [sample for sample in SAMPLES if "comes_to" in sample]
"""Those whose own lines, discounts, shipping and taxes do not add up to their own total."""


def minor(amount: str | int, currency: str) -> int:
    """An amount in minor units; what is written with a point is in the currency's major unit."""
    exact = Decimal(amount) if isinstance(amount, int) else Decimal(amount).scaleb(MINOR_UNITS.get(currency, USUAL_MINOR_UNITS))
    assert exact == int(exact), f"{amount} {currency} has more digits than the currency"
    return int(exact)


def pricing_of(sample: dict[str, Any]) -> dict[str, Any]:
    """What the shop would send; a tax that the sample gives for all of the order stands on its first line."""

    def money(amount: str | int) -> dict[str, Any]:
        return {"amount": minor(amount, sample["currency"]), "currency": sample["currency"]}

    prices = [
        {name: money(line[name]) for name in ("unit_price", "discount", "tax") if name in line} for line in sample["lines"]
    ]
    found: dict[str, Any] = {"items": prices, "total": money(sample["total"])}
    if "shipping" in sample:
        tax = {"tax": money(sample["shipping_tax"])} if "shipping_tax" in sample else {}
        found["shipping"] = {"amount": money(sample["shipping"]), **tax}
    if "discounts" in sample:
        found["discounts"] = [one | {"amount": money(one["amount"])} for one in sample["discounts"]]
    return found


def placed(world: World, sample: dict[str, Any]) -> Any:
    for line in sample["lines"]:
        world.stock(line["product_id"], 1000)
    items = [{"product_id": line["product_id"], "quantity": line["quantity"]} for line in sample["lines"]]
    return world.shop("POST /orders", body=a_body(customer_id=CUSTOMER, items=items) | {"pricing": pricing_of(sample)})


def test_an_order_comes_to_the_total_that_its_shop_gave_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_THRESHOLD", "1000000")
    right = [sample for sample in SAMPLES if sample not in WRONG]
    assert (len(SAMPLES), len(right)) == (19, 17)
    for sample in right:
        answer = placed(world, sample)
        assert answer.status == 202, f"{sample['platform']} {sample['order']}: {answer.text}"
        total = {"amount": minor(sample["total"], sample["currency"]), "currency": sample["currency"]}
        assert answer.order["total"] == total, f"{sample['platform']} {sample['order']}"
        world.step("reserve_stock", answer.order["order_id"])
        world.step("charge_payment", answer.order["order_id"])
        paid = world.http("GET /orders/{id}", answer.order["order_id"]).body["payment"]
        assert (paid["status"], paid["amount"]) == ("COMPLETED", total)


def test_a_sample_that_does_not_add_up_is_refused_with_what_it_comes_to(world: World) -> None:
    for sample in WRONG:
        refused = placed(world, sample)
        assert refused.status == 400
        (problem,) = refused.body["errors"]
        assert problem["field"] == "pricing.total"
        assert str(minor(sample["comes_to"], sample["currency"])) in problem["message"]
