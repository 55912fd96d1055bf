"""What callers see, field by field, as ``docs/behavior.md#shapes`` has it, and refusals in one shape everywhere."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.harness.bodies import a_body
from tests.harness.stacks import Api, Deployment, assert_gateway

Check = Any  # a type, a compiled pattern, a set of values, a nested shape, [shape of each], or a function


class Maybe:
    """May be null."""

    def __init__(self, check: Check) -> None:
        self.check = check


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TEXT = re.compile(r".+", re.DOTALL)
MONEY = {"amount": int, "currency": re.compile(r"[A-Z]{3}")}
STATUS = {"PENDING", "CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "CANCELLED", "RETURNED"}
METHOD = {"CREDIT_CARD", "BANK_TRANSFER", "DIGITAL_WALLET", "CASH_ON_DELIVERY"}
FULFILLMENT = {
    "UNFULFILLED",
    "PARTIALLY_SHIPPED",
    "SHIPPED",
    "PARTIALLY_DELIVERED",
    "DELIVERED",
    "PARTIALLY_RETURNED",
    "RETURNED",
}
PIECES = {"line_id": TEXT, "quantity": int}
ORDER = {
    "order_id": TEXT,
    "customer_id": TEXT,
    "status": STATUS,
    "fulfillment_status": FULFILLMENT,
    "version": int,
    "items": [
        {
            "line_id": TEXT,
            "product_id": TEXT,
            "name": TEXT,
            "quantity": int,
            "unit_price": MONEY,
            "discount?": MONEY,
            "tax?": MONEY,
            "quantity_cancelled": int,
            "quantity_shipped": int,
            "quantity_delivered": int,
            "quantity_returned": int,
        }
    ],
    "discounts?": [{"code?": TEXT, "amount": MONEY}],
    "subtotal": MONEY,
    "discount_total": MONEY,
    "shipping_total": MONEY,
    "tax_total": MONEY,
    "total": MONEY,
    "shipping_address": {"name": TEXT, "line1": TEXT, "line2?": TEXT, "city": TEXT, "postal_code": TEXT, "country": TEXT},
    "created_at": TIME,
    "updated_at": TIME,
    "cancellation": Maybe(
        {
            "reason": {
                "customer",
                "staff",
                "payment_failed",
                "approval_rejected",
                "approval_timeout",
                "out_of_stock",
                "shipping_failed",
                "expired",
            },
            "cancelled_at": TIME,
            "cancelled_by": TEXT,
            "note?": TEXT,
        }
    ),
    "approval": Maybe(
        {
            "status": {"PENDING", "APPROVED", "REJECTED", "TIMED_OUT"},
            "expires_at": TIME,
            "decided_by?": TEXT,
            "reason?": TEXT,
        }
    ),
    "hold": Maybe({"held_at": TIME, "held_by": TEXT, "reason?": TEXT}),
    "shortage": Maybe({"expires_at": TIME, "missing": [PIECES | {"product_id": TEXT}]}),
}
PAYMENT = {
    "PENDING",
    "PROCESSING",
    "REQUIRES_ACTION",
    "AUTHORIZED",
    "COMPLETED",
    "PARTIALLY_REFUNDED",
    "REFUNDED",
    "FAILED",
    "VOIDED",
}
PARCEL = {
    "CREATED",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "AVAILABLE_FOR_PICKUP",
    "ATTEMPTED",
    "DELIVERED",
    "FAILED",
    "LOST",
    "RETURNING",
    "RETURNED_TO_SENDER",
}
SHIPMENT = {
    "shipment_id": TEXT,
    "items": [PIECES],
    "tracking_number": Maybe(TEXT),
    "carrier": TEXT,
    "status": PARCEL,
    "current_location": Maybe(TEXT),
    "estimated_delivery": Maybe(TIME),
    "shipped_at": Maybe(TIME),
    "delivered_at?": TIME,
    "unconfirmed_delivery_at?": TIME,
    "scans": [{"at": TIME, "status": PARCEL, "location": Maybe(TEXT), "message": Maybe(TEXT)}],
}
WHOLE = {
    "order": ORDER,
    "payment": Maybe(
        {
            "payment_id": TEXT,
            "status": PAYMENT,
            "amount": MONEY,
            "method": METHOD,
            "provider": TEXT,
            "provider_reference?": TEXT,
            "amount_captured": MONEY,
            "amount_refunded": MONEY,
            "next_action?": {"type": TEXT, "url?": TEXT},
            "created_at?": TIME,
            "failure_reason?": TEXT,
            "refunded_at?": TIME,
            "authorization_expires_at?": TIME,
            "dispute": Maybe(dict),
        }
    ),
    "shipments": [SHIPMENT],
    "shipment": Maybe(SHIPMENT),
    "returns": [
        {
            "return_id": TEXT,
            "status": {"REQUESTED", "APPROVED", "RECEIVED", "CLOSED", "DECLINED", "CANCELED"},
            "items": [PIECES | {"reason?": TEXT, "received": [{"quantity": int, "condition": {"resellable", "damaged"}}]}],
            "note?": TEXT,
            "requested_by": TEXT,
            "created_at": TIME,
            "decided_by?": TEXT,
            "decided_at?": TIME,
            "decision_reason?": TEXT,
            "received_at?": TIME,
            "closed_at?": TIME,
        }
    ],
    "refunds": [
        {
            "refund_id": TEXT,
            "status": {"PENDING", "COMPLETED", "FAILED"},
            "amount": MONEY,
            "items?": [PIECES],
            "return_id?": TEXT,
            "reason?": TEXT,
            "requested_by": TEXT,
            "created_at": TIME,
            "completed_at?": TIME,
            "failure_reason?": TEXT,
        }
    ],
    "allowed_actions": [TEXT],
    "tracking_url": re.compile(r"/track/[^?]+\?token=.+"),
}
HISTORY = {
    "order_id": TEXT,
    "history": [
        {
            "version": int,
            "event_type": re.compile(r"[A-Z_]+"),
            "status": STATUS,
            "timestamp": TIME,
            "triggered_by": TEXT,
            "reason?": TEXT,
            "metadata": dict,
        }
    ],
}
PROGRESS = {
    "order_id": TEXT,
    "status": STATUS,
    "fulfillment_status": FULFILLMENT,
    "overall_status": {"QUEUED", "IN_PROGRESS", "COMPLETED", "FAILED", "ROLLING_BACK", "ROLLED_BACK"},
    "current_step": Maybe(TEXT),
    "last_updated": TIME,
    "estimated_completion": Maybe(TIME),
    "steps": [
        {
            "name": {
                "Inventory Reservation",
                "Manual Review",
                "Payment Processing",
                "Shipping Arrangement",
                "Delivery",
            },
            "order": int,
            "status": {"PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "COMPENSATING", "COMPENSATED", "SKIPPED"},
            "started_at?": TIME,
            "completed_at?": TIME,
            "error_message?": TEXT,
        }
    ],
}
PRODUCT = {"product_id": TEXT, "name": TEXT, "unit_price": MONEY, "stock": int}
COUNTED = PRODUCT | {"on_hand": int, "reserved": int, "sold": int}
ITEM_ERROR = {"field": TEXT, "message": TEXT}


def differences(value: Any, check: Check, place: str = "$") -> list[str]:
    """Where a value is not what the shape says; a field that the shape does not know is a difference too."""
    if isinstance(check, Maybe):
        return [] if value is None else differences(value, check.check, place)
    if isinstance(check, Mapping):
        return _of_object(value, check, place)
    if isinstance(check, list):
        if not isinstance(value, list):
            return [f"{place} is no list"]
        return [error for number, item in enumerate(value) for error in differences(item, check[0], f"{place}[{number}]")]
    if isinstance(check, re.Pattern):
        fits = isinstance(value, str) and check.fullmatch(value) is not None
    elif isinstance(check, set):
        fits = value in check
    else:
        fits = type(value) is check
    return [] if fits else [f"{place} is {value!r}"]


def _of_object(value: Any, shape: Mapping[str, Check], place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    known = {name.removesuffix("?"): check for name, check in shape.items()}
    missing = [f"{place}.{name} is missing" for name in shape if not name.endswith("?") and name not in value]
    unknown = [f"{place}.{name} is unknown" for name in value.keys() - known.keys()]
    inner = [
        error for name in value.keys() & known.keys() for error in differences(value[name], known[name], f"{place}.{name}")
    ]
    return [*missing, *unknown, *inner]


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """One shape for every refusal of the product's own."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    assert "/layers/" not in answer.text
    return problem


@pytest.fixture(scope="module")
def over(swift: Deployment) -> dict[str, Any]:
    """An order that has been through everything but its return."""
    order_id = swift.ada.place(require_approval=True)["order"]["order_id"]
    assert swift.support.post(f"/orders/{order_id}/approve", {"reason": "Fine"}).status_code == 200
    return swift.ada.until_over(order_id)


def test_placing_answers_202_with_the_order_and_where_to_find_it(swift: Deployment) -> None:
    body = a_body()
    body["shipping_address"]["line2"] = "Second floor"
    answer = swift.ada.post("/orders", body)
    placed = answer.json()
    assert answer.status_code == 202
    assert differences(placed, WHOLE) == []
    assert answer.headers["location"] == f"/orders/{placed['order']['order_id']}"
    assert answer.headers["etag"] == '"1"'
    assert (placed["order"]["status"], placed["order"]["version"]) == ("PENDING", 1)
    assert (placed["order"]["customer_id"], placed["payment"], placed["shipment"]) == ("ada", None, None)
    assert uuid.UUID(placed["order"]["order_id"]).version == 7
    found = swift.ada.get(answer.headers["location"])
    assert differences(found.json(), WHOLE) == []
    assert found.headers["etag"] == f'"{found.json()["order"]["version"]}"'


def test_an_order_may_bring_its_own_id(swift: Deployment) -> None:
    order_id = f"A.{uuid.uuid4().hex}-x_1"
    assert swift.ada.place(order_id=order_id)["order"]["order_id"] == order_id
    assert_problem(swift.ada.post("/orders", a_body(order_id=order_id)), 409, "ALREADY_EXISTS")


def test_the_first_document_s_order_comes_to_thirty(swift: Deployment) -> None:
    items = [{"product_id": "prod-001", "quantity": 2}, {"product_id": "prod-002", "quantity": 1}]
    placed = swift.ada.place(items=items)["order"]
    assert placed["total"] == {"amount": 3000, "currency": "USD"}
    assert [item["unit_price"]["amount"] for item in placed["items"]] == [1000, 1000]


def test_each_read_has_its_shape(swift: Deployment, over: dict[str, Any]) -> None:
    order_id = over["order"]["order_id"]
    assert differences(over, WHOLE) == []
    assert over["order"]["approval"]["status"] == "APPROVED"
    history = swift.ada.get(f"/orders/{order_id}/history")
    assert differences(history.json(), HISTORY) == []
    versions = [event["version"] for event in history.json()["history"]]
    assert versions == list(range(1, over["order"]["version"] + 1))
    progress = swift.ada.get(f"/orders/{order_id}/status")
    assert differences(progress.json(), PROGRESS) == []
    assert [step["order"] for step in progress.json()["steps"]] == [1, 2, 3, 4, 5]
    for read in (history, progress):
        assert read.headers["etag"] == f'"{over["order"]["version"]}"'
    listed = swift.ada.get("/orders?limit=2").json()
    assert differences(listed, {"orders": [ORDER], "next_cursor": Maybe(TEXT)}) == []
    assert differences(swift.anybody.get("/products/prod-001").json(), PRODUCT) == []
    assert differences(swift.anybody.get("/products").json(), {"products": [PRODUCT], "next_cursor": Maybe(TEXT)}) == []
    assert differences(swift.support.get("/stock").json(), {"products": [COUNTED], "next_cursor": Maybe(TEXT)}) == []


def test_every_change_answers_with_the_order(swift: Deployment) -> None:
    delivered = swift.ada.place()["order"]["order_id"]
    swift.ada.until_status(delivered, "DELIVERED")
    order_id = swift.ada.place(require_approval=True)["order"]["order_id"]
    for answer in (
        swift.ada.put(f"/orders/{order_id}/address", a_body()["shipping_address"] | {"line1": "Elsewhere 1"}),
        swift.support.post(f"/orders/{order_id}/sync"),
        swift.support.post(f"/orders/{order_id}/reject", {"reason": "No"}),
        swift.ada.post(f"/orders/{delivered}/return", {"reason": "Too small"}),
    ):
        assert answer.status_code == 200, answer.text
        assert differences(answer.json(), WHOLE) == []
        assert answer.headers["etag"] == f'"{answer.json()["order"]["version"]}"'


def test_the_workflow_is_shown_without_its_credentials(swift: Deployment, over: dict[str, Any]) -> None:
    answer = swift.support.get(f"/orders/{over['order']['order_id']}/execution")
    execution = answer.json()
    assert execution["fulfilment"]["status"] == "SUCCEEDED"
    assert "Charge payment" in execution["fulfilment"]["definition"]["States"]
    assert execution["fulfilment"]["events"]
    assert execution["unwinding"] is None
    tokens = re.findall(r'task_token\\*":\s*\\*"([^"\\]*)', answer.text)
    assert set(tokens) <= {"(hidden)"}
    assert tokens


# --- lists and versions ---


def test_a_list_is_newest_first_and_paged_by_an_opaque_cursor(swift: Deployment) -> None:
    reader = swift.as_(f"reader-{uuid.uuid4().hex[:8]}")
    known = [reader.place()["order"]["order_id"] for _ in range(5)][::-1]
    found: list[str] = []
    cursor = ""
    page: dict[str, Any] = {}
    for _ in range(3):
        page = reader.get(f"/orders?limit=2{cursor}").json()
        found += [order["order_id"] for order in page["orders"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert found == known
    assert page["next_cursor"] is None
    first = reader.get("/orders?limit=2").json()["next_cursor"]
    assert_problem(reader.get(f"/orders?limit=2&cursor={first}x"), 400, "INVALID_ARGUMENT")
    assert_problem(swift.support.get(f"/orders?limit=2&cursor={first}"), 400, "INVALID_ARGUMENT")


def test_a_list_is_filtered_by_status_old_names_too(swift: Deployment, over: dict[str, Any]) -> None:
    for name in ("DELIVERED", "COMPLETED"):
        answer = swift.support.get(f"/orders?status={name}&limit=100")
        assert {order["status"] for order in answer.json()["orders"]} == {"DELIVERED"}
        assert ("deprecation" in answer.headers) is (name == "COMPLETED")
    problem = assert_problem(swift.support.get("/orders?status=LOST"), 400, "INVALID_ARGUMENT")
    assert problem["errors"][0]["field"] == "status"
    for query in ("limit=0", "limit=101", "limit=x", "status=", "customer_id=", "cursor=nonsense"):
        problem = assert_problem(swift.support.get(f"/orders?{query}"), 400, "INVALID_ARGUMENT")
        assert problem["errors"][0]["field"] == query.split("=")[0]


def test_a_version_that_is_no_longer_current_is_refused(swift: Deployment, over: dict[str, Any]) -> None:
    order_id, version = over["order"]["order_id"], over["order"]["version"]
    path = f"/orders/{order_id}/cancel"
    assert_problem(swift.ada.post(path, if_match=f'"{version - 1}"'), 412, "FAILED_PRECONDITION")
    assert_problem(swift.ada.post(path, if_match='"what"'), 400, "INVALID_ARGUMENT")
    own = swift.ada.place(require_approval=True)
    current = swift.ada.get(f"/orders/{own['order']['order_id']}").headers["etag"]
    answers = [swift.ada.post(f"/orders/{own['order']['order_id']}/cancel", if_match=tag) for tag in ('"999"', current)]
    assert answers[0].status_code == 412
    assert answers[1].status_code in (200, 412)  # the workflow may have moved it between


def test_the_same_key_is_the_same_order(swift: Deployment) -> None:
    customer, key = swift.as_(f"keyed-{uuid.uuid4().hex[:8]}"), "k" * 255
    first = customer.post("/orders", a_body(), idempotency_key=key)
    second = customer.post("/orders", a_body(), idempotency_key=key)
    assert (second.status_code, second.json()["order"]["order_id"]) == (202, first.json()["order"]["order_id"])
    other = customer.post("/orders", a_body(method="BANK_TRANSFER"), idempotency_key=key)
    assert_problem(other, 422, "IDEMPOTENCY_MISMATCH")
    assert_problem(customer.post("/orders", a_body(), idempotency_key=key + "k"), 400, "INVALID_ARGUMENT")
    elsewhere = swift.eve.post("/orders", a_body(), idempotency_key=key)
    assert elsewhere.json()["order"]["order_id"] != first.json()["order"]["order_id"]
    assert len(customer.get("/orders").json()["orders"]) == 1
    assert customer.place()["order"]["order_id"] != customer.place()["order"]["order_id"]


# --- refusals ---


def test_every_refusal_is_a_problem(swift: Deployment, over: dict[str, Any]) -> None:
    order_id = over["order"]["order_id"]
    assert_problem(swift.eve.get(f"/orders/{order_id}"), 403, "PERMISSION_DENIED")
    assert_problem(swift.ada.get("/orders/no-such-order"), 404, "NOT_FOUND")
    assert_problem(swift.ada.get("/no/such/route"), 404, "NOT_FOUND")
    assert_problem(swift.ada.get("/orders/-x"), 400, "INVALID_ARGUMENT")
    problem = assert_problem(swift.ada.post(f"/orders/{order_id}/cancel"), 409, "FAILED_PRECONDITION")
    assert {"from", "to", "allowed"} <= problem.keys()
    large = swift.http.post("/orders", content=b"{" + b" " * 200_000, headers=bearing(swift.ada))
    assert_problem(large, 413, "INVALID_ARGUMENT")
    broken = swift.http.post("/orders", content=b'{"items": [', headers=bearing(swift.ada))
    assert assert_problem(broken, 400, "INVALID_ARGUMENT")["errors"][0]["field"] == "body"


def test_what_the_gateway_refuses_has_the_gateway_s_shape(swift: Deployment, over: dict[str, Any]) -> None:
    assert_gateway(swift.anybody.get("/orders"), 401)
    assert_gateway(swift.anybody.get("/orders/no-such-order"), 401)
    assert_gateway(Api(swift.http, "nonsense").get("/orders"), 401)
    assert "bearer" in swift.anybody.get("/orders").headers["www-authenticate"].lower()
    huge = swift.http.post("/orders", content=b" " * 11_000_000, headers=bearing(swift.ada))
    assert_gateway(huge, 413)
    # Too large for the function, not for the gateway: it fails to call it, and says one or the other.
    between = swift.http.post("/orders", content=b" " * 7_000_000, headers=bearing(swift.ada))
    assert_gateway(between, between.status_code if between.status_code in (413, 500) else 413)


def test_who_a_function_verifies_itself_is_refused_by_a_problem(swift: Deployment, over: dict[str, Any]) -> None:
    path = f"/orders/{over['order']['order_id']}/status"
    assert_problem(swift.anybody.get(path), 401, "UNAUTHENTICATED")
    assert_problem(Api(swift.http, "nonsense").get(path), 401, "UNAUTHENTICATED")
    assert_problem(swift.anybody.get(f"{path}/stream"), 401, "UNAUTHENTICATED")
    assert_problem(swift.anybody.get(f"{path}?token=nonsense"), 403, "PERMISSION_DENIED")
    assert_problem(swift.anybody.post("/carriers/generic/events", {}), 401, "UNAUTHENTICATED")
    assert_problem(swift.anybody.get("/no/such/route"), 404, "NOT_FOUND")


def bearing(api: Api) -> dict[str, str]:
    return {"authorization": f"Bearer {api.token}", "content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/orders", "GET, POST"),
        ("DELETE", "/orders/x", "GET, PATCH"),
        ("PATCH", "/health", "GET"),
        ("TRACE", "/products", "DELETE, GET, PUT"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_refused_by_name(swift: Deployment, method: str, path: str, allowed: str) -> None:
    answer = swift.ada.call(method, path)
    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allowed


def test_the_documents_need_no_token(swift: Deployment) -> None:
    assert swift.anybody.get("/health").json()["status"] == "ok"
    assert swift.anybody.get("/openapi.json").json()["openapi"].startswith("3.1")
    page = swift.anybody.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r'(src|href)="(https?:)?//', page.text)


def test_a_problem_s_type_leads_to_a_place_on_the_documents_page(swift: Deployment) -> None:
    page = swift.anybody.get("/docs").text
    for refused in (swift.ada.post("/orders", {}), swift.ada.get("/orders/none"), swift.ada.call("TRACE", "/products")):
        path, _, place = refused.json()["type"].partition("#")
        assert path == "/docs"
        assert f'<section id="{place}"><h3><code>{refused.json()["code"]}</code>' in page


def test_the_bare_address_leads_people_on(swift: Deployment) -> None:
    page = swift.anybody.get("/?utm_source=mail")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'href="([^"]+)"', page.text)
    assert {"/admin", "/docs", "/openapi.json"} == set(links)
    assert {swift.anybody.get(link).status_code for link in links} == {200}


def test_the_stream_begins_with_the_present_and_ends_with_the_order(swift: Deployment, over: dict[str, Any]) -> None:
    path, version = f"/orders/{over['order']['order_id']}/status/stream", over["order"]["version"]
    first = swift.ada.get(path)
    assert first.headers["content-type"].startswith("text/event-stream")
    assert re.search(r"^retry: \d+$", first.text, re.MULTILINE)
    assert f"id: {swift.ada.order(over['order']['order_id'])['order']['version']}\n" in first.text
    resumed = swift.ada.get(path, last_event_id="2")
    ids = [int(found) for found in re.findall(r"^id: (\d+)$", resumed.text, re.MULTILINE)]
    assert ids[: version - 2] == list(range(3, version + 1))
    assert swift.ada.get(path, last_event_id=str(ids[-1])).status_code in (200, 204)
