"""Orders' lives as lists of single calls, so that each call may be another release's."""

from collections.abc import Callable

from orders.domain.order import moment
from tests.harness.bodies import a_body
from tests.harness.world import CUSTOMER, Json
from tests.upgrade.shared_table import SharedTable

Call = Callable[[SharedTable], object]
ID = "order-1"


def place(**changes: Json) -> Call:
    def call(table: SharedTable) -> None:
        headers = {"idempotency-key": f"key of {ID}"}
        answer = table.http("POST /orders", None, a_body(order_id=ID, **changes), by=CUSTOMER, headers=headers)
        assert answer.status == 202, answer.text

    return call


def step(module: str, **more: Json) -> Call:
    return lambda table: table.step(module, ID, **more)


def refused(name: str, module: str, **more: Json) -> Call:
    return lambda table: table.refused(name, module, ID, **more)


def by_customer(route_key: str, body: Json = None) -> Call:
    return _asked(route_key, body, CUSTOMER, ())


def by_staff(route_key: str, body: Json = None) -> Call:
    return _asked(route_key, body, "grace", ("support",))


def _asked(route_key: str, body: Json, by: str, groups: tuple[str, ...]) -> Call:
    def call(table: SharedTable) -> None:
        answer = table.http(route_key, ID, body, by=by, groups=groups)
        assert answer.status == 200, answer.text

    return call


def follow_up(table: SharedTable) -> None:
    """What the stream has of the order so far is told to the workflow."""
    table.follow_up(ID)


def unwind(table: SharedTable) -> None:
    """The next step of the unwinding machine, of those that are left."""
    for module in table.unwinding(ID)[:1]:
        table.step(module, ID)


def ship(table: SharedTable) -> None:
    table.executions.waiting.add(f"ship-{ID}")
    table.step("ship_parcel", ID, task_token=f"ship-{ID}", transit=10, run=1)


def ask_for_review(table: SharedTable) -> None:
    table.executions.waiting.add(f"review-{ID}")
    table.step("request_approval", ID, task_token=f"review-{ID}", seconds=300, run=1)


ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "1 Ockham Park",
    "line2": "Lodge",
    "city": "Ockham",
    "postal_code": "GU23 6NQ",
    "country": "GB",
}
DECLINED = {"failure": {"Error": "PaymentDeclined", "Cause": '{"errorMessage": "Your card was declined."}'}}
TIMED_OUT = {"failure": {"Error": "States.Timeout", "Cause": ""}}
START = [follow_up, step("reserve_stock"), step("charge_payment")]
BACK = [follow_up, unwind, unwind, unwind, unwind]


def erase(table: SharedTable) -> None:
    """The customer's personal data go, as `orders erase` has it."""
    with table.release.running():
        table.release.module("orders.services.privacy").erase(CUSTOMER, "grace")


def scanned(table: SharedTable) -> None:
    """The warehouse and the carrier report the parcel: a marker, and a scan that is kept by its tracking number."""
    release, number = table.release.module("orders.adapters.store.scans"), table.snapshot(ID).shipment
    assert number is not None
    detail = {
        "event_type": "fulfillment.status_changed",
        "event_id": "scan-1",
        "fulfillment_id": "fulfillment-1",
        "order_id": ID,
        "old_status": "shipped",
        "new_status": "in_transit",
        "timestamp": "2026-11-20T12:00:00.000Z",
        "metadata": {"carrier": "SimEx"},
    }
    seen_at = moment("2026-11-20T12:00:00.000Z")
    release.keep_scan(number.tracking_number, "scan-1", seen_at, detail, seen_at)
    table.queue("on_fulfillment_event", [detail])


LIVES: dict[str, list[Call]] = {
    "placed": [place()],
    "reserved": [place(), *START[:2]],
    "paid": [place(), *START],
    "shipped": [place(), *START, ship],
    "delivered": [place(), *START, ship, step("deliver_order"), follow_up],
    "followed by scans": [place(), *START, ship, scanned],
    "delivered by hand": [
        place(),
        *START,
        ship,
        by_staff("PUT /orders/{id}/shipment/location", {"location": "Leeds", "estimated_delivery": "2026-12-24T12:00:00Z"}),
        by_staff("POST /orders/{id}/delivered"),
        follow_up,
    ],
    "paid in cash": [
        place(method="CASH_ON_DELIVERY", token=None),
        *START,
        by_staff("PATCH /orders/{id}/status", {"status": "PROCESSING"}),
        ship,
        step("deliver_order"),
        follow_up,
    ],
    "sent elsewhere": [place(), *START, by_customer("PUT /orders/{id}/address", ADDRESS), ship, step("deliver_order")],
    "cancelled at once": [place(), by_customer("POST /orders/{id}/cancel", {"reason": "a change of mind"}), *BACK],
    "cancelled when paid": [place(), *START, by_staff("POST /orders/{id}/cancel", {"reason": "as asked"}), *BACK],
    "unwinding": [place(), *START, by_customer("POST /orders/{id}/cancel", {"reason": "too late"}), follow_up, unwind],
    "declined": [
        place(token="tok_declined"),
        *START[:2],
        refused("PaymentDeclined", "charge_payment"),
        step("begin_unwinding", **DECLINED),
        *BACK,
    ],
    "returned": [
        place(),
        *START,
        ship,
        step("deliver_order"),
        by_staff("POST /orders/{id}/return", {"reason": "too big"}),
        *BACK,
    ],
    "erased": [place(), *START, ship, step("deliver_order"), erase],
    "in review": [place(require_approval=True), follow_up, refused("ApprovalPending", "reserve_stock"), ask_for_review],
    "approved": [
        place(require_approval=True),
        follow_up,
        refused("ApprovalPending", "reserve_stock"),
        ask_for_review,
        by_staff("POST /orders/{id}/approve", {"reason": "known to us"}),
        follow_up,
        step("charge_payment"),
        ship,
        step("deliver_order"),
    ],
    "rejected": [
        place(require_approval=True),
        follow_up,
        refused("ApprovalPending", "reserve_stock"),
        ask_for_review,
        by_staff("POST /orders/{id}/reject", {}),
        *BACK,
    ],
    "review timed out": [
        place(require_approval=True),
        follow_up,
        refused("ApprovalPending", "reserve_stock"),
        ask_for_review,
        step("begin_unwinding", **TIMED_OUT),
        *BACK,
    ],
}
"""Each life by what it leads to."""
