"""What an order costs whose payment, hold or parcel others decide about: each way through the states that wait for them.

The real handlers on moto's interpreter, see ``shop``; others act while the machine waits, or right before it does.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from orders.domain.statuses import OrderStatus, PaymentStatus
from tests.harness.caches import forget_settings
from tests.statemachine.shop import Act, Shop, charge_of

TO_THE_CHARGE = ["Reserve stock", "What next?", "Wait for payment", "Charge payment", "Paid yet?"]
CONFIRMED = [*TO_THE_CHARGE, "Wait for payment confirmation", "Paid yet?"]
RELEASED = ["Wait for release", "Charge payment", "Paid yet?"]
TO_THE_PARCEL = ["Wait for preparation", "Ship parcel and await delivery"]
TO_THE_END = [*TO_THE_PARCEL, "Deliver order"]
NOT_FULFILLED = ["Unwind order", "Not fulfilled"]
AT_ONCE = {"PAYMENT_WAIT_SECONDS": "0", "PREPARATION_WAIT_SECONDS": "0"}
ON_SHIPMENT = {"CAPTURE_MODE": "on_shipment"}
BY_CARRIER = {"DELIVERY_MODE": "carrier"}
TO_CONFIRM: dict[str, Any] = {"payment": {"method": "CREDIT_CARD", "token": "tok_requires_action"}}
TRANSFER: dict[str, Any] = {"payment": {"method": "BANK_TRANSFER"}}


def reports(kind: str) -> Act:
    return lambda shop: shop.event(kind, "on_payment_event", event_id="e-1")


def hold(shop: Shop) -> None:
    shop.staff("hold", reason="Looks odd")


def release(shop: Shop) -> None:
    shop.staff("release")


def delivered(shop: Shop) -> None:
    shop.staff("delivered")


def silent_at_first(shop: Shop) -> None:
    """The carrier, for as long as the first run waits; the next one is told."""
    shop.during["ship_parcel"] = delivered


def without_waits(*states: str) -> list[str]:
    return [state for state in states if state not in ("Wait for payment", "Wait for preparation")]


@dataclass(frozen=True)
class Way:
    """The states of each execution and what they are billed; how the order is placed, what others do, what it comes to."""

    executions: list[list[str]]
    billed: int
    wish: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Act] = field(default_factory=dict)
    during: dict[str, Act] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    endings: tuple[str, ...] = ("SUCCEEDED",)
    payment: PaymentStatus = PaymentStatus.COMPLETED
    book: str = "charged"


PAID = {"await_payment": reports("payment.confirmed")}
CANCELLED = ("FAILED", "SUCCEEDED")
WAYS: dict[str, Way] = {
    "confirmed": Way([[*CONFIRMED, *TO_THE_END]], 11, TO_CONFIRM, during=PAID),
    "confirmed, no waits": Way([without_waits(*CONFIRMED, *TO_THE_END)], 9, TO_CONFIRM, during=PAID, settings=AT_ONCE),
    "confirmed before the wait began": Way([[*CONFIRMED, *TO_THE_END]], 11, TO_CONFIRM, before=PAID),
    "a transfer that arrives": Way([[*CONFIRMED, *TO_THE_END]], 11, TRANSFER, during=PAID),
    "failed": Way(
        [[*CONFIRMED, *NOT_FULFILLED], ["What is to be undone?", "Release stock", "Close order"]],
        10 + 4,
        TO_CONFIRM,
        during={"await_payment": reports("payment.failed")},
        endings=CANCELLED,
        payment=PaymentStatus.FAILED,
        book="declined",
    ),
    "timed out": Way(
        [[*CONFIRMED[:-1], *NOT_FULFILLED], ["What is to be undone?", "Refund payment", "Release stock", "Close order"]],
        9 + 5,
        TO_CONFIRM,
        endings=CANCELLED,
        payment=PaymentStatus.VOIDED,
        book="voided",
    ),
    "captured with the parcel": Way([[*TO_THE_CHARGE, *TO_THE_END]], 9, settings=ON_SHIPMENT),
    "captured with the parcel, no waits": Way([without_waits(*TO_THE_CHARGE, *TO_THE_END)], 7, settings=ON_SHIPMENT | AT_ONCE),
    "confirmed, and captured with the parcel": Way(
        [[*CONFIRMED, *TO_THE_END]], 11, TO_CONFIRM, during=PAID, settings=ON_SHIPMENT
    ),
    "on hold before the charge": Way(
        [[*TO_THE_CHARGE, *RELEASED, *TO_THE_END]], 12, before={"charge_payment": hold}, during={"await_release": release}
    ),
    "on hold before the hand-over": Way(
        [[*TO_THE_CHARGE, *TO_THE_PARCEL, *RELEASED, *TO_THE_END]],
        14,
        before={"ship_parcel": hold},
        during={"await_release": release},
        settings=ON_SHIPMENT,
    ),
    "delivered by the carrier": Way([[*TO_THE_CHARGE, *TO_THE_END]], 9, during={"ship_parcel": delivered}, settings=BY_CARRIER),
    "delivered by the carrier after the longest wait": Way(
        [[*TO_THE_CHARGE, *TO_THE_END, *NOT_FULFILLED], without_waits(*TO_THE_CHARGE, *TO_THE_END)],
        11 + 7,
        during={"ship_parcel": silent_at_first},
        settings=BY_CARRIER,
        endings=("FAILED", "SUCCEEDED"),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_each_way_and_what_it_is_billed(shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    way = WAYS[name]
    for setting, value in way.settings.items():
        monkeypatch.setenv(setting, value)
    forget_settings()
    shop.before, shop.during = dict(way.before), dict(way.during)
    snapshot = shop.place(name.replace(" ", "-").replace(",", ""), **way.wish)
    assert shop.paths() == way.executions
    assert shop.costs.transitions == way.billed
    assert snapshot.payment
    assert (snapshot.payment.status, charge_of(snapshot)) == (way.payment, way.book)
    expected = OrderStatus.CANCELLED if way.book != "charged" else OrderStatus.DELIVERED
    assert (snapshot.order.status, tuple(ending for _, ending in shop.histories())) == (expected, way.endings)
