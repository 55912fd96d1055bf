"""Orders that cannot be: each is refused with the name of the field that is wrong, and leaves nothing behind."""

import copy
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.bodies import a_body
from tests.harness.books import Books
from tests.harness.stacks import Deployment, Served

Body = dict[str, Any]


def put(path: str, value: Any) -> Callable[[Body], Body]:
    """The order with something else at a place; ``items.0.quantity`` leads there."""

    def change(body: Body) -> Body:
        *way, last = path.split(".")
        at: Any = body
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        at[int(last) if last.isdigit() else last] = value
        return body

    return change


def without(path: str) -> Callable[[Body], Body]:
    def change(body: Body) -> Body:
        *way, last = path.split(".")
        at: Any = body
        for step in way:
            at = at[int(step) if step.isdigit() else step]
        del at[last]
        return body

    return change


LINE = {"product_id": "prod-001", "quantity": 1}
BAD: list[tuple[str, Callable[[Body], Body], str]] = [
    ("no items", without("items"), "items"),
    ("empty items", put("items", []), "items"),
    ("items are no list", put("items", {"product_id": "prod-001"}), "items"),
    ("an item is no object", put("items.0", "prod-001"), "items.0"),
    ("101 lines", put("items", [LINE] * 101), "items"),
    ("91 products", put("items", [{"product_id": f"p-{n}", "quantity": 1} for n in range(91)]), "items"),
    ("an unknown product", put("items.1.product_id", "no-such-product"), "items.1.product_id"),
    ("no product", without("items.0.product_id"), "items.0.product_id"),
    ("a product's id is a number", put("items.0.product_id", 1), "items.0.product_id"),
    ("an empty product id", put("items.0.product_id", ""), "items.0.product_id"),
    ("no quantity", without("items.0.quantity"), "items.0.quantity"),
    ("quantity 0", put("items.0.quantity", 0), "items.0.quantity"),
    ("quantity -1", put("items.0.quantity", -1), "items.0.quantity"),
    ("quantity 10^9", put("items.0.quantity", 10**9), "items.0.quantity"),
    ("quantity 10^400", put("items.0.quantity", 10**400), "items.0.quantity"),
    ("quantity 1.5", put("items.0.quantity", 1.5), "items.0.quantity"),
    ("quantity as text", put("items.0.quantity", "2"), "items.0.quantity"),
    ("quantity true", put("items.0.quantity", True), "items.0.quantity"),
    ("quantity null", put("items.0.quantity", None), "items.0.quantity"),
    ("a price from the caller", put("items.0.unit_price", {"amount": 1, "currency": "USD"}), "items.0.unit_price"),
    ("no payment", without("payment"), "payment"),
    ("no method", without("payment.method"), "payment.method"),
    ("an unknown method", put("payment.method", "BARTER"), "payment.method"),
    ("the method in small letters", put("payment.method", "credit_card"), "payment.method"),
    ("a token with a line break", put("payment.token", "tok\nok"), "payment.token"),
    ("no address", without("shipping_address"), "shipping_address"),
    ("no city", without("shipping_address.city"), "shipping_address.city"),
    ("a blank name", put("shipping_address.name", "   "), "shipping_address.name"),
    ("a name of 10,000 letters", put("shipping_address.name", "x" * 10_000), "shipping_address.name"),
    ("a control character", put("shipping_address.line1", "1 \u0000 Street"), "shipping_address.line1"),
    ("an unknown field of the address", put("shipping_address.planet", "Mars"), "shipping_address.planet"),
    ("an unknown field", put("discount", 100), "discount"),
    ("a bad order id", put("order_id", "../etc/passwd"), "order_id"),
    ("an order id of 65 letters", put("order_id", "x" * 65), "order_id"),
    ("an empty order id", put("order_id", ""), "order_id"),
    ("an order id with a line break", put("order_id", "order-1\n"), "order_id"),
    ("a bad customer id", put("customer_id", "a\u2028b"), "customer_id"),
    ("a review that is no yes or no", put("require_approval", "yes"), "require_approval"),
]
RAW: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("no JSON", b"{'items': []}", 400),
    ("half a document", b'{"items": [', 400),
    ("a list", b"[]", 400),
    ("null", b"null", 400),
    ("bytes that are no text", b"\xff\xfe{}", 400),
    ("NaN", b'{"items": NaN}', 400),
    ("200 KB", json.dumps(a_body() | {"note": "x" * 200_000}).encode(), 413),
    ("nested 50,000 deep", b"[" * 50_000, 400),
]


@pytest.fixture(scope="module")
def nobody(swift: Deployment) -> str:
    """A customer without orders."""
    return f"nobody-{uuid.uuid4().hex[:8]}"


def traces(stack: Deployment, customer: str) -> list[str]:
    """What is kept of a customer."""
    listed = [order["order_id"] for order in stack.as_(customer).get("/orders").json()["orders"]]
    if isinstance(stack, Served):
        listed += [name for name, found in Books.of(stack).accounts.items() if found.order.customer_id == customer]
    return listed


@pytest.mark.parametrize(("change", "field"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_order_is_refused_by_the_name_of_its_field(
    swift: Deployment, nobody: str, change: Callable[[Body], Body], field: str
) -> None:
    body = change(copy.deepcopy(a_body()))
    answer = swift.as_(nobody).post("/orders", body, idempotency_key=f"bad-{uuid.uuid4()}")
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] == "INVALID_ARGUMENT"
    assert field in [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize(("content", "status"), [case[1:] for case in RAW], ids=[case[0] for case in RAW])
def test_a_body_that_is_no_order_is_refused(swift: Deployment, nobody: str, content: bytes, status: int) -> None:
    headers = {"authorization": f"Bearer {swift.as_(nobody).token}", "content-type": "application/json"}
    answer = swift.http.post("/orders", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]


def test_a_good_order_for_somebody_else_is_refused(swift: Deployment, nobody: str) -> None:
    assert swift.as_(nobody).post("/orders", a_body(customer_id="ada")).status_code == 403
    assert swift.as_(nobody).post("/orders", a_body(customer_id=nobody)).status_code == 202


def test_nothing_is_left_of_bad_orders(swift: Deployment) -> None:
    customer = f"nobody-{uuid.uuid4().hex[:8]}"
    for _, change, _ in BAD:
        assert swift.as_(customer).post("/orders", change(copy.deepcopy(a_body()))).status_code == 400
    assert traces(swift, customer) == []
