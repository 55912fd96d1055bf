"""Every order that can be, as its customer reads it: each has its sentences, and none of them is untrue.

Which orders can be is found by living them: from a new order, everything that may happen to it is done, again and again,
until nothing new comes of it. What the pages say of each is asked of a browser, all at once.
"""

import base64
import copy
import gzip
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Route

import show_pages
from orders import settings
from orders.domain import notifications
from orders.domain.decisions import delivering, ending
from orders.domain.errors import OrderError
from orders.domain.events import ORDER_STATUS_CHANGED
from orders.domain.languages import LANGUAGES, direction_of
from orders.domain.order import Change, Event, Snapshot
from orders.domain.scans import Scan, scanned
from orders.domain.statuses import OrderStatus, OverallStatus, PaymentMethod, PaymentStatus, ShipmentStatus, StepStatus
from orders.domain.steps import CancelReason, StepName
from orders.services import estimates
from orders.web.tracking import tracking_view
from tests.harness.orders import CUP, LEAFLET, TEAPOT, WAITS, Life, a_wish
from tests.unit.test_order_invariants import FORWARD, undo_something

Doing = Callable[[Life], Change | None]
Facts = tuple[Any, ...]

OURS = replace(WAITS, delivery=86_400)
PAGE = "http://pages.test/"
LATE = timedelta(days=9)
SHARE = 37
"""Of that many orders one is read in each other language: the table is the same, and its translations are compared."""


def _scanned(status: ShipmentStatus, ahead: timedelta | None) -> Doing:
    def scan(life: Life) -> Change | None:
        if life.snapshot.shipment is None:
            return None
        now = life.tick()
        seen = Scan(status, now, "Utrecht", now + ahead if ahead else None, "simex")
        return delivering.record_fulfillment(life.snapshot, now, "carrier:simex", {}, scanned(life.snapshot.shipment, seen))

    return scan


def _failed(step: StepName, reason: CancelReason) -> Doing:
    def fail(life: Life) -> Change | None:
        current = life.order.current_step
        at = current.name if current else StepName.INVENTORY
        return ending.fail(life.snapshot, reason, "It failed.", life.tick()) if at is step else None

    return fail


def _cancelled(reason: CancelReason) -> Doing:
    return lambda life: ending.cancel(life.snapshot, reason, life.tick(), "ada")


def _unwound(pick: int) -> Doing:
    def undo(life: Life) -> Change | None:
        return undo_something(life, pick) if life.order.overall is OverallStatus.ROLLING_BACK else None

    return undo


DEEDS: dict[str, Doing] = {
    **{
        name: deed
        for name, deed in FORWARD.items()
        if name not in ("restart", "redirect", "direct back", "overdue", "fail", "cancel")
    },
    **{f"cancel: {reason}": _cancelled(reason) for reason in CancelReason},
    **{f"scan: {status}": _scanned(status, None) for status in ShipmentStatus},
    "scan with an estimate": _scanned(ShipmentStatus.IN_TRANSIT, timedelta(days=2)),
    "out of stock": _failed(StepName.INVENTORY, CancelReason.OUT_OF_STOCK),
    "no carrier": _failed(StepName.SHIPPING, CancelReason.SHIPPING_FAILED),
    "not paid": _failed(StepName.PAYMENT, CancelReason.PAYMENT_FAILED),
    "gave up": lambda life: ending.fail(life.snapshot, CancelReason.EXPIRED, "It failed.", life.tick()),
    "unwind": _unwound(0),
    "unwind otherwise": _unwound(1),
}


@dataclass(frozen=True)
class StatusChange:
    """A change of status, and the order it led to."""

    event: Event
    after: Snapshot


def facts(snapshot: Snapshot) -> Facts:
    """All of an order that a sentence may depend on."""
    order, payment, parcel = snapshot.order, snapshot.payment, snapshot.shipment
    return (
        order.status,
        order.overall,
        tuple((step.status, step.started_at is None, step.error_message) for step in order.steps),
        order.method,
        order.is_free,
        order.approval and order.approval.status,
        order.cancellation and order.cancellation.reason,
        payment and (payment.status, payment.failure_reason, payment.refunded_at is None),
        parcel and (parcel.status, parcel.recalled, parcel.tracking_number is None, parcel.estimated_delivery is None),
    )


@cache
def every_order() -> tuple[tuple[Snapshot, ...], tuple[StatusChange, ...]]:
    """Each order that can be, once, and each change of status on the way."""
    found: dict[Facts, Snapshot] = {}
    changes: dict[Facts, StatusChange] = {}
    ahead = deque(
        Life(a_wish(method=method, needs_review=needs_review, lines=lines), waits=OURS)
        for method in (PaymentMethod.CREDIT_CARD, PaymentMethod.CASH_ON_DELIVERY)
        for needs_review in (False, True)
        for lines in ((TEAPOT, CUP), (LEAFLET,))
    )
    for life in ahead:
        changes[facts(life.snapshot)] = StatusChange(life.trail[0], life.snapshot)
    while ahead:
        life = ahead.popleft()
        if facts(life.snapshot) in found:
            continue
        found[facts(life.snapshot)] = life.snapshot
        for after, event in followers(life):
            new = facts(after.snapshot)
            if new not in found:
                ahead.append(after)
            if event.old_status is not event.status:
                changes[(event.old_status, *new)] = StatusChange(event, after.snapshot)
    return tuple(found.values()), tuple(changes.values())


def followers(life: Life) -> Iterator[tuple[Life, Event]]:
    """What may come of it next."""
    after = copy.copy(life)
    for deed in DEEDS.values():
        # Most deeds are refused: one copy serves until something comes of it.
        after.snapshot, after.now, after.trail, after.stock = life.snapshot, life.now, [], {}
        try:
            if after.apply(deed(after)):
                yield after, after.trail[-1]
                after = copy.copy(life)
        except OrderError:
            continue


NOT_REACHED = {PaymentStatus.REQUIRES_ACTION, PaymentStatus.AUTHORIZED, PaymentStatus.PARTIALLY_REFUNDED}
"""The statuses of a payment that nothing leads to yet."""

Reading = dict[str, Any]
"""What the pages say of one order, and the view they said it of."""

# Compressed text both ways: the driver takes a second for 3 MB of text, and a hundred times as long over a value's every part.
READ = """async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
  const through = (stream, way) => new Response(stream.pipeThrough(way));
  const asked = await through(new Blob([bytes]).stream(), new DecompressionStream("gzip")).json();
  const words = await import("/words.js");
  const { moment } = await import("/format.js");
  const said = asked.map(({ view, now }) => {
    const at = new Date(now);
    const time = (text) => (text ? moment(text, at) : null);
    return {
      headline: words.headline(view),
      outlook: words.outlook(view, at),
      money: words.whereTheMoneyIs(view, at),
      paid: words.paid(view, at),
      parcel: view.shipment && words.parcel(view),
      steps: words.steps(view),
      delivered: time(view.shipment?.delivered_at ?? view.progress.steps.at(-1).completed_at),
      refunded: time(view.payment?.refunded_at),
    };
  });
  const answer = await through(new Blob([JSON.stringify(said)]).stream(), new CompressionStream("gzip")).blob();
  return await new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1]);
    reader.readAsDataURL(answer);
  });
}"""


def _serve(route: Route) -> None:
    name, _, language = route.request.url.removeprefix(PAGE).partition("?")
    if not name:
        page = f'<!doctype html><html lang="{language}" dir="{direction_of(language)}"><title>Words</title>'
        route.fulfill(body=page, content_type="text/html")
        return
    route.fulfill(body=show_pages.PAGES.assets[name], content_type="text/javascript")


@pytest.fixture(scope="module", params=["timed", "carrier"])
def readings(browser: Browser, request: pytest.FixtureRequest) -> list[Reading]:
    """Every order that can be, and what is not over long after too: in both modes of delivery, as a browser reads it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DELIVERY_MODE", request.param)
    patch.setattr(settings, "waits", lambda: OURS)
    patch.setattr(estimates, "history", lambda now: {})
    asked = [
        {
            "view": tracking_view(snapshot, snapshot.order.updated_at + gone),
            "now": snapshot.order.updated_at + gone,
            "late": bool(gone),
        }
        for snapshot in every_order()[0]
        for gone in ((timedelta(0),) if snapshot.order.is_over else (timedelta(0), LATE))
    ]
    patch.undo()
    texts = [json.dumps(one, default=str) for one in asked]
    new = [text for text in texts if text not in _READ]
    _READ.update(zip(new, read(browser, [json.loads(text) for text in new]), strict=True))
    return [{**_READ[text], "mode": request.param} for text in texts]


_READ: dict[str, Reading] = {}
"""What has been read, by what was asked: most orders look the same in both modes of delivery."""


def read(browser: Browser, plain: list[Reading], zone: str = "UTC", language: str = "en") -> list[Reading]:
    """What a browser says of each view at its ``now``."""
    context = browser.new_context(locale="en-GB", timezone_id=zone)
    try:
        page = context.new_page()
        page.route(f"{PAGE}**", _serve)
        page.goto(f"{PAGE}?{language}")
        packed = base64.b64encode(gzip.compress(json.dumps(plain).encode(), 1)).decode()
        said = json.loads(gzip.decompress(base64.b64decode(page.evaluate(READ, packed))))
    finally:
        context.close()
    return [{**one, **about} for one, about in zip(said, plain, strict=True)]


def test_every_status_comes_up() -> None:
    """The laws below are about all there is: what they are held against has every status in it."""
    orders = every_order()[0]
    assert {one.order.status for one in orders} == set(OrderStatus)
    assert {one.order.overall for one in orders} == set(OverallStatus)
    assert {one.payment.status for one in orders if one.payment} == set(PaymentStatus) - NOT_REACHED
    assert {one.shipment.status for one in orders if one.shipment} == set(ShipmentStatus)
    assert {one.order.cancellation.reason for one in orders if one.order.cancellation} == set(CancelReason)
    assert {step.status for one in orders for step in one.order.steps} == set(StepStatus)


def words_of(reading: Reading) -> list[str]:
    steps = [step["label"] for step in reading["steps"]]
    money = [reading["money"]] if reading["money"] else []
    return [reading["headline"]["words"], reading["outlook"], reading["paid"], *money, *steps]


def undone(reading: Reading) -> bool:
    view = reading["view"]
    return view["order"]["status"] in ("CANCELLED", "RETURNED") or view["progress"]["overall_status"] == "ROLLING_BACK"


def is_free(reading: Reading) -> bool:
    return bool(reading["view"]["order"]["total"]["amount"] == 0)


def status(reading: Reading, part: str) -> str | None:
    found = reading["view"][part]
    return found and str(found["status"])


def about(reading: Reading) -> str:
    view = reading["view"]
    steps = [step["status"] for step in view["progress"]["steps"]]
    order = f"{view['order']['status']} {view['progress']['overall_status']} {steps}"
    return f"{order} {view['payment']} {view['shipment']}: {words_of(reading)}"


def test_every_order_has_its_sentences(readings: list[Reading]) -> None:
    for reading in readings:
        assert all(words_of(reading)), about(reading)
        # A constant of the API among the words is what is shown of a status that the table does not have.
        assert not any(re.search(r"\b[A-Z]{4,}", text) for text in words_of(reading)), about(reading)
        assert not any(re.search(r"[{}]|undefined|null|NaN", text) for text in words_of(reading)), about(reading)
        assert (reading["money"] is not None) >= undone(reading), about(reading)
        assert bool(reading["parcel"]) is bool(reading["view"]["shipment"]), about(reading)
        assert all(step["label"] not in set(StepName) or step["label"] == "Delivery" for step in reading["steps"])


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_order_has_its_sentences_in_every_language(readings: list[Reading], browser: Browser, language: str) -> None:
    some = readings[::SHARE]
    found = read(browser, [{"view": one["view"], "now": one["now"]} for one in some], language=language)
    for english, reading in zip(some, found, strict=True):
        assert all(words_of(reading)), about(reading)
        assert not any(re.search(r"\b[A-Z]{4,}|[{}]|undefined|null|NaN", text) for text in words_of(reading)), about(reading)
        assert reading["headline"]["words"] != english["headline"]["words"], about(reading)
        assert (reading["money"] is None) is (english["money"] is None), about(reading)
        assert [step["state"] for step in reading["steps"]] == [step["state"] for step in english["steps"]], about(reading)


def test_money_is_said_to_have_moved_only_once_it_has(readings: list[Reading]) -> None:
    for reading in readings:
        payment, words = status(reading, "payment"), " | ".join(words_of(reading))
        said_back = re.search(r"was refunded|Refunded|has been refunded", words)
        assert bool(said_back) is (payment == "REFUNDED"), about(reading)
        if re.search(r"\bPaid\b|You paid", words):
            assert payment == "COMPLETED", about(reading)
        if re.search(r"[Nn]ot charged|Not paid|paid nothing", words):
            assert payment in (None, "PENDING", "FAILED", "VOIDED"), about(reading)
        if "Pay on delivery" in words:
            assert payment == "PENDING" and not undone(reading), about(reading)  # noqa: PT018 - one fact
        if payment == "REFUNDED":
            assert f"{reading['refunded']}." in reading["money"], about(reading)
            assert reading["paid"] == f"Refunded {reading['refunded']}", about(reading)


def test_a_payment_that_was_never_made_is_said_to_be_so(readings: list[Reading]) -> None:
    for reading in readings:
        if is_free(reading):
            continue
        if undone(reading) and status(reading, "payment") in (None, "PENDING", "FAILED", "VOIDED"):
            assert re.search(r"not charged|paid nothing", reading["money"]), about(reading)
        if undone(reading) and status(reading, "payment") == "PENDING":
            assert reading["paid"] == "Not paid", about(reading)


def test_of_an_order_that_costs_nothing_nobody_speaks_of_money(readings: list[Reading]) -> None:
    free = [reading for reading in readings if is_free(reading)]
    assert {reading["view"]["order"]["status"] for reading in free} == set(OrderStatus) - {OrderStatus.CONFIRMED}
    for reading in free:
        assert reading["view"]["payment"] is None, about(reading)
        assert reading["paid"] == "Nothing to pay", about(reading)
        assert reading["money"] == ("There was nothing to pay." if undone(reading) else None), about(reading)
        assert not re.search(r"[Cc]harged|[Pp]aid|refund", " | ".join(words_of(reading))), about(reading)


PROMISE = re.compile(r"should be with you")
NOT_COMING = ("LOST", "RETURNING", "RETURNED_TO_SENDER", "FAILED", "DELIVERED")


def test_a_time_of_arrival_is_said_only_where_there_is_one(readings: list[Reading]) -> None:
    for reading in readings:
        view, parcel = reading["view"], status(reading, "shipment")
        under_review = view["progress"]["steps"][1]["status"] == "IN_PROGRESS"
        expected = view["progress"]["estimated_completion"] or (parcel and view["shipment"]["estimated_delivery"])
        promised = PROMISE.search(reading["outlook"])
        if promised:
            assert expected or parcel == "OUT_FOR_DELIVERY", about(reading)
            assert not under_review, about(reading)
            assert parcel not in NOT_COMING, about(reading)
            assert not undone(reading), about(reading)
        if reading["mode"] == "carrier" and promised:
            assert parcel and (view["shipment"]["estimated_delivery"] or parcel == "OUT_FOR_DELIVERY"), about(reading)  # noqa: PT018 - one fact
        if under_review and not undone(reading) and not is_free(reading):
            assert "not charged" in reading["outlook"], about(reading)


def test_out_for_delivery_means_today(readings: list[Reading]) -> None:
    out = [
        one
        for one in readings
        if status(one, "shipment") == "OUT_FOR_DELIVERY" and one["view"]["order"]["status"] == "SHIPPED" and not one["late"]
    ]
    assert out
    for reading in out:
        assert re.search(r"should be with you (today|in )", reading["outlook"]), about(reading)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Kolkata"])
def test_an_estimate_of_a_day_is_said_as_that_day_wherever_it_is_read(
    readings: list[Reading], browser: Browser, zone: str
) -> None:
    """Carriers give a day as its midnight: 25 November is a Wednesday, from its first minute to its last."""
    sent = next(
        one for one in readings if status(one, "shipment") == "IN_TRANSIT" and one["view"]["order"]["status"] == "SHIPPED"
    )
    parcel = {**sent["view"]["shipment"], "estimated_delivery": "2026-11-25T00:00:00.000Z"}
    view = {**sent["view"], "shipment": parcel}
    here = ZoneInfo(zone)
    said = {
        datetime(2026, 11, 22, 12, tzinfo=here): "It should be with you on Wednesday.",
        datetime(2026, 11, 24, 12, tzinfo=here): "It should be with you tomorrow.",
        datetime(2026, 11, 25, 0, 1, tzinfo=here): "It should be with you today.",
        datetime(2026, 11, 25, 23, 59, tzinfo=here): "It should be with you today.",
        datetime(2026, 11, 26, 0, 1, tzinfo=here): "It was expected yesterday, and is late.",
    }
    found = read(browser, [{"view": view, "now": now.isoformat()} for now in said], zone)
    assert [one["outlook"] for one in found] == list(said.values())


def test_the_page_says_where_the_parcel_is_and_no_more(readings: list[Reading]) -> None:
    for reading in readings:
        view, words, parcel = reading["view"], reading["headline"]["words"], status(reading, "shipment")
        assert ("has arrived" in words) is (view["order"]["status"] == "DELIVERED"), about(reading)
        assert ("on its way back" not in words) or parcel == "RETURNING", about(reading)
        assert ("has come back" not in words) or parcel == "RETURNED_TO_SENDER", about(reading)
        assert ("out for delivery" not in words) or parcel == "OUT_FOR_DELIVERY", about(reading)
        if view["order"]["status"] == "SHIPPED":
            assert ("lost" in words) is (parcel == "LOST"), about(reading)
        if view["order"]["status"] == "DELIVERED":
            assert reading["outlook"] == f"Delivered {reading['delivered']}.", about(reading)


def test_a_step_says_done_only_of_what_was_done(readings: list[Reading]) -> None:
    for reading in readings:
        rows = {row["name"]: row for row in reading["view"]["progress"]["steps"]}
        for step in reading["steps"]:
            row = rows[step["name"]]
            if step["label"] in ("Reserved", "Paid", "Shipped", "Delivered"):
                assert row["status"] == "COMPLETED", about(reading)
            if row["status"] == "FAILED":
                assert row["error_message"], about(reading)
            if step["state"] in ("skipped", "todo", "undoing"):
                assert step["at"] is None, about(reading)


def notice_of(change: StatusChange) -> str:
    detail = next(detail for kind, detail, _ in notifications.messages(change.event) if kind == ORDER_STATUS_CHANGED)
    notice = notifications.notice(json.loads(json.dumps(detail, default=str)))
    assert notice, detail
    return " ".join(notice)


def test_every_change_of_status_has_a_notice_that_is_true() -> None:
    for change in every_order()[1]:
        text, payment = notice_of(change), change.after.payment and change.after.payment.status
        undone = change.event.status in (OrderStatus.CANCELLED, OrderStatus.RETURNED)
        assert not re.search(r"[{}]|None|\b[A-Z]{4,}", text), text
        assert ("was refunded" in text) is (undone and payment is PaymentStatus.REFUNDED), text
        assert ("You paid" in text) <= (payment is PaymentStatus.COMPLETED), text
        if re.search(r"not charged|paid nothing", text):
            assert payment in (None, PaymentStatus.PENDING, PaymentStatus.FAILED, PaymentStatus.VOIDED), text
        if change.after.order.is_free:
            assert ("There was nothing to pay." in text) is undone, text
            assert not re.search(r"charged|[Pp]aid|refund", text), text
        elif undone:
            assert re.search(r"was refunded|not charged|paid nothing|You paid|will be refunded", text), text
        assert ("has come back to us" in text) <= (change.event.old_status is OrderStatus.SHIPPED), text
        assert bool(re.search(r"delivered\. Enjoy", text)) is (change.event.status is OrderStatus.DELIVERED), text


def test_a_notice_of_an_earlier_release_s_event_says_nothing_of_money_that_it_cannot_know() -> None:
    detail = {"order_id": "order-1", "old_status": "PROCESSING", "new_status": "CANCELLED"}
    assert notifications.notice(detail) == (
        "Your order was cancelled",
        "Order order-1 was cancelled. If you have paid, you will be refunded.",
    )
