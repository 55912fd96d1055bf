"""What may come in at the door: every kind of bad order is named by its field, and nothing odd gets through."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.errors import InvalidArgument
from orders.domain.order import timestamp
from orders.domain.status_names import parse_status
from orders.domain.statuses import OrderStatus, PaymentMethod
from orders.web import bodies, order_bodies, texts

GOOD: dict[str, Any] = {
    "customer_id": "ada",
    "items": [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}],
    "payment": {"method": "CREDIT_CARD", "token": "tok_ok"},
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "city": "London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    },
}
LEFT_OUT = object()


def changed(path: str, value: Any) -> bytes:
    """The good order with one place changed, or left out."""
    body = deepcopy(GOOD)
    *way, last = path.split(".")
    place: Any = body
    for part in way:
        place = place[int(part)] if part.isdigit() else place[part]
    key: Any = int(last) if last.isdigit() else last
    if value is LEFT_OUT:
        del place[key]
    else:
        place[key] = value
    return json.dumps(body).encode()


def fields(body: bytes, model: type[texts.Body] = order_bodies.PlaceOrder) -> list[str]:
    """The fields a body is refused for; none for one that is taken."""
    try:
        bodies.parse(model, body)
    except InvalidArgument as refused:
        errors = refused.extra["errors"]
        assert errors
        assert all(problem["message"] for problem in errors)
        return [problem["field"] for problem in errors]
    return []


def test_a_good_order_is_taken() -> None:
    order = bodies.parse(order_bodies.PlaceOrder, json.dumps(GOOD).encode())
    assert order.payment.method is PaymentMethod.CREDIT_CARD
    assert [item.quantity for item in order.items] == [2, 1]
    assert not order.require_approval


BAD: list[tuple[str, Any, str]] = [
    ("items", LEFT_OUT, "items"),
    ("items", [], "items"),
    ("items", {}, "items"),
    ("items", "prod-001", "items"),
    ("items", None, "items"),
    ("items", [{"product_id": f"prod-{n}", "quantity": 1} for n in range(101)], "items"),
    ("items", [{"product_id": f"prod-{n}", "quantity": 1} for n in range(91)], "items"),
    ("items.0", None, "items.0"),
    ("items.0", "prod-001", "items.0"),
    ("items.0.product_id", LEFT_OUT, "items.0.product_id"),
    ("items.0.product_id", "", "items.0.product_id"),
    ("items.0.product_id", 7, "items.0.product_id"),
    ("items.0.product_id", "prod\u202e001", "items.0.product_id"),
    ("items.0.product_id", "prod\uffff", "items.0.product_id"),
    ("items.0.product_id", "p" * 129, "items.0.product_id"),
    ("items.0.product_id", "prod-001\n", "items.0.product_id"),
    ("items.0.quantity", LEFT_OUT, "items.0.quantity"),
    ("items.0.quantity", 0, "items.0.quantity"),
    ("items.0.quantity", -1, "items.0.quantity"),
    ("items.0.quantity", 10**9, "items.0.quantity"),
    ("items.0.quantity", 10**400, "items.0.quantity"),
    ("items.0.quantity", 1.5, "items.0.quantity"),
    ("items.0.quantity", 2.0, "items.0.quantity"),
    ("items.0.quantity", "2", "items.0.quantity"),
    ("items.0.quantity", True, "items.0.quantity"),
    ("items.0.quantity", None, "items.0.quantity"),
    ("items.0.price", 1, "items.0.price"),
    ("items.0.unit_price", {"amount": 1, "currency": "USD"}, "items.0.unit_price"),
    ("payment", LEFT_OUT, "payment"),
    ("payment", None, "payment"),
    ("payment", "CREDIT_CARD", "payment"),
    ("payment.method", LEFT_OUT, "payment.method"),
    ("payment.method", "BITCOIN", "payment.method"),
    ("payment.method", "credit_card", "payment.method"),
    ("payment.method", 1, "payment.method"),
    ("payment.token", "", "payment.token"),
    ("payment.token", "tok ok", "payment.token"),
    ("payment.token", 42, "payment.token"),
    ("payment.token", "t" * 201, "payment.token"),
    ("payment.card_number", "4242424242424242", "payment.card_number"),
    ("shipping_address", "London", "shipping_address"),
    ("shipping_address.name", "", "shipping_address.name"),
    ("shipping_address.name", "   ", "shipping_address.name"),
    ("shipping_address.name", "x" * 101, "shipping_address.name"),
    ("shipping_address.name", "Ada\u0000Lovelace", "shipping_address.name"),
    ("shipping_address.line1", LEFT_OUT, "shipping_address.line1"),
    ("shipping_address.line1", "12\n34", "shipping_address.line1"),
    ("shipping_address.city", ["London"], "shipping_address.city"),
    ("shipping_address.postal_code", 1234, "shipping_address.postal_code"),
    ("shipping_address.postal_code", "1" * 21, "shipping_address.postal_code"),
    ("shipping_address.country", LEFT_OUT, "shipping_address.country"),
    ("shipping_address.planet", "Earth", "shipping_address.planet"),
    ("order_id", "", "order_id"),
    ("order_id", "-order", "order_id"),
    ("order_id", "_2_order", "order_id"),
    ("order_id", "order/1", "order_id"),
    ("order_id", "order#1", "order_id"),
    ("order_id", "order 1", "order_id"),
    ("order_id", "órder", "order_id"),
    ("order_id", "o" * 65, "order_id"),
    ("order_id", 12, "order_id"),
    ("customer_id", "", "customer_id"),
    ("customer_id", "a\tb", "customer_id"),
    ("customer_id", "a" * 129, "customer_id"),
    ("customer_id", 1, "customer_id"),
    ("require_approval", "yes", "require_approval"),
    ("require_approval", 1, "require_approval"),
    ("require_approval", None, "require_approval"),
    ("status", "DELIVERED", "status"),
    ("total", {"amount": 1, "currency": "USD"}, "total"),
]


@pytest.mark.parametrize("text", ["#1001", "josé@example.com", "VSK/RED 42", "..", " a ", "é" * 128, "🫖" * 128])
def test_ids_of_others_are_theirs(text: str) -> None:
    order = bodies.parse(order_bodies.PlaceOrder, changed("customer_id", text))
    assert order.customer_id == text
    order = bodies.parse(order_bodies.PlaceOrder, changed("items.0.product_id", text))
    assert order.items[0].product_id == text


@pytest.mark.parametrize(("path", "value", "field"), BAD, ids=[f"{path}={str(value)[:20]!r}" for path, value, _ in BAD])
def test_a_bad_order_is_refused_by_the_name_of_its_field(path: str, value: Any, field: str) -> None:
    assert fields(changed(path, value)) == [field]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"7", b'"order"', b"\xff\xfe", b"{'items': []}", b"NaN", b"[" * 5000, b'{"a":' * 5000]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert fields(body)


def test_each_bad_field_is_named_at_once() -> None:
    body = json.loads(changed("items.0.quantity", 0)) | {"payment": {"method": "X"}}
    assert set(fields(json.dumps(body).encode())) == {"items.0.quantity", "payment.method"}


def test_a_refusal_of_a_thousand_mistakes_stays_short() -> None:
    body = {f"field-{n}": n for n in range(1000)}
    with pytest.raises(InvalidArgument) as refused:
        bodies.parse(order_bodies.PlaceOrder, json.dumps(body).encode())
    assert len(json.dumps(refused.value.extra)) < 4096
    assert len(refused.value.detail) < 1024


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidArgument) as refused:
        bodies.parse(order_bodies.PlaceOrder, changed("payment.token", "secret card 4242"))
    assert "4242" not in refused.value.detail + json.dumps(refused.value.extra)


@pytest.mark.parametrize(
    "name",
    [
        "Ada  Lovelace",
        "Zoë Ångström",
        "李小龍",
        "علی‌رضا",
        "東京都\u3000千代田区",
        "Ada\u00a0Lovelace",
        "👩‍🚀 Ada",
        "O'Brien & Söhne <1>",
    ],
)
def test_names_and_addresses_of_the_whole_world_are_taken(name: str) -> None:
    assert fields(changed("shipping_address.name", name)) == []


@pytest.mark.parametrize("character", ["\u0000", "\u001b", "\r", "\n", "\t", "\u007f", "\u0085", "\u2028", "\u202e", "\u2066"])
def test_characters_that_change_how_a_label_is_printed_are_refused(character: str) -> None:
    assert fields(changed("shipping_address.line1", f"12{character}34")) == ["shipping_address.line1"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_does_worse_than_be_refused(body: bytes) -> None:
    for model in (order_bodies.PlaceOrder, bodies.WithReason, bodies.SetLocation, bodies.SetProduct, bodies.SetStatus):
        fields(body, model)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted({path for path, _, _ in BAD} - {"status", "total"})), json_values)
def test_whatever_stands_in_one_place_of_a_good_order_it_is_taken_or_that_place_is_named(path: str, value: Any) -> None:
    named = fields(changed(path, value))
    assert all(field.startswith(path) for field in named)


# --- the other bodies ---


def test_a_change_needs_no_words() -> None:
    assert bodies.parse(bodies.WithReason, b"").reason is None
    assert bodies.parse(bodies.WithReason, b"{}").reason is None
    assert bodies.parse(bodies.WithReason, b'{"reason": " Too late "}').reason == "Too late"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, 5, "\u0007"])
def test_a_reason_has_words_or_is_left_out(reason: Any) -> None:
    assert fields(json.dumps({"reason": reason}).encode(), bodies.WithReason) == ["reason"]


@pytest.mark.parametrize("when", ["2026-11-24T12:00:00Z", "2026-11-24T13:00:00+01:00", "2026-11-24T12:00:00.000Z"])
def test_an_estimated_delivery_is_a_time_with_an_offset(when: str) -> None:
    location = bodies.parse(bodies.SetLocation, json.dumps({"location": "Utrecht", "estimated_delivery": when}).encode())
    assert location.estimated_delivery is not None
    assert timestamp(location.estimated_delivery) == "2026-11-24T12:00:00.000Z"


@pytest.mark.parametrize(
    "when",
    [
        *("", "tomorrow", "2026-11-24", "2026-11-24T12:00:00", "1700000000"),
        *(5, 1e11, True, [], "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_what_is_no_time_that_we_can_write_is_refused(when: Any) -> None:
    body = json.dumps({"location": "Utrecht", "estimated_delivery": when}).encode()
    assert fields(body, bodies.SetLocation) == ["estimated_delivery"]


@pytest.mark.parametrize("name", ["PAID", "COMPLETED"])
def test_an_old_name_of_a_status_is_taken_and_marked(name: str) -> None:
    status, deprecated = parse_status(name)
    assert deprecated
    assert status in (OrderStatus.PROCESSING, OrderStatus.DELIVERED)


@pytest.mark.parametrize("name", OrderStatus)
def test_a_status_is_taken_by_its_name(name: OrderStatus) -> None:
    assert parse_status(name.value) == (name, False)


@pytest.mark.parametrize("name", ["", "PENDING ", "PENDING,SHIPPED", "UNKNOWN", "None"])
def test_an_unknown_status_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_status(name)
    assert refused.value.extra["errors"][0]["field"] == "status"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"stock": -1}, "stock"),
        ({"stock": 10**13}, "stock"),
        ({"stock": 1.0}, "stock"),
        ({"name": ""}, "name"),
        ({"unit_price": 10}, "unit_price"),
        ({"unit_price": {"amount": -1, "currency": "USD"}}, "unit_price.amount"),
        ({"unit_price": {"amount": 9.99, "currency": "USD"}}, "unit_price.amount"),
        ({"unit_price": {"amount": 1, "currency": "usd"}}, "unit_price.currency"),
        ({"unit_price": {"amount": 1, "currency": "DOLLAR"}}, "unit_price.currency"),
        ({"color": "red"}, "color"),
    ],
)
def test_a_bad_product_is_refused_by_the_name_of_its_field(change: dict[str, Any], field: str) -> None:
    good = {"name": "Teapot", "unit_price": {"amount": 1000, "currency": "USD"}, "stock": 5}
    assert fields(json.dumps(good).encode(), bodies.SetProduct) == []
    assert fields(json.dumps(good | change).encode(), bodies.SetProduct) == [field]
