"""What customers read about an order: one table of sentences, for the pages and for the notices. Other languages have each by
its English sentence (``web/catalogs.py``).

A table is a list of rows; the first row that fits is read. A row fits when every axis it names has one of the values it
lists, and every value that its sentence mentions is there: a sentence with a time is never read without one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from types import MappingProxyType
from typing import Any

from orders.domain import steps
from orders.domain.statuses import (
    ENDED,
    OrderStatus,
    OverallStatus,
    PaymentMethod,
    PaymentStatus,
    ReturnStatus,
    ShipmentStatus,
    StepStatus,
)
from orders.domain.steps import CancelReason, StepName


class Way(StrEnum):
    """Where the order is going."""

    ON = "on"
    """To the customer, or there already."""
    BACK = "back"
    """Its parcel comes back, or is lost; nothing has been decided about the order."""
    UNDONE = "undone"
    """Canceled, returned, or on the way to one of them."""


NONE = "NONE"
"""There is no payment, parcel or reason."""

UNTOLD = "UNTOLD"
"""The event that a notice is about does not have the payment's status: it was written by an earlier release."""

YES, NO = "yes", "no"

AXES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "order": frozenset(OrderStatus),
        "before": frozenset({NONE, *OrderStatus}),
        "overall": frozenset(OverallStatus),
        "way": frozenset(Way),
        "reviewing": frozenset({YES, NO}),
        "free": frozenset({YES, NO}),
        "payment": frozenset({NONE, UNTOLD, *PaymentStatus}),
        "method": frozenset({NONE, *PaymentMethod}),
        "parcel": frozenset({NONE, *ShipmentStatus}),
        "sent_back": frozenset(ReturnStatus),
        "reason": frozenset({NONE, *CancelReason}),
        "own": frozenset({YES, NO}),
        "step": frozenset(StepName),
        "state": frozenset(StepStatus),
    }
)
"""What a row may depend on, and the values each may have."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sentence and when it is true. ``mood`` is how a headline looks: good, bad or busy; ``subject`` is a notice's."""

    says: str
    when: Mapping[str, tuple[str, ...]]
    mood: str | None = None
    subject: str | None = None

    @property
    def mentions(self) -> tuple[str, ...]:
        """The values that the sentence is filled with."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.says) if name)

    def fits(self, facts: Mapping[str, str], values: Mapping[str, str]) -> bool:
        """Whether it is true of these facts, and can be said with these values."""
        return all(facts.get(axis) in allowed for axis, allowed in self.when.items()) and all(
            values.get(name) for name in self.mentions
        )


Table = Sequence[Row]


def row(says: str, mood: str | None = None, subject: str | None = None, **when: str | tuple[str, ...]) -> Row:
    """A row; an axis with one value may be given as that value."""
    return Row(says, {axis: (one,) if isinstance(one, str) else one for axis, one in when.items()}, mood, subject)


_O, _P, _S, _M, _C = OrderStatus, PaymentStatus, ShipmentStatus, PaymentMethod, CancelReason
_N, _Z, _R = StepName, StepStatus, ReturnStatus
_CASH = _M.CASH_ON_DELIVERY
_ALIVE = (_O.PENDING, _O.CONFIRMED, _O.PROCESSING, _O.SHIPPED)
_BY_BANK = tuple(method for method in PaymentMethod if method is not _CASH)

HEADLINES: Table = (
    row("This order was cancelled", "bad", order=_O.CANCELLED),
    row("Your parcel has come back to us", "bad", order=_O.RETURNED, parcel=_S.RETURNED_TO_SENDER),
    row("We are processing your return", "bad", order=_O.RETURNED, overall=OverallStatus.ROLLING_BACK),
    row("This order was returned", "bad", order=_O.RETURNED),
    row("Your parcel has arrived", "good", order=_O.DELIVERED),
    row("This order cannot be completed", "bad", overall=OverallStatus.ROLLING_BACK),
    row("Your parcel is out for delivery", "busy", order=_ALIVE, parcel=_S.OUT_FOR_DELIVERY),
    row("Your parcel is ready to be collected", "busy", order=_ALIVE, parcel=_S.AVAILABLE_FOR_PICKUP),
    row("The carrier has tried to deliver your parcel", "busy", order=_ALIVE, parcel=_S.ATTEMPTED),
    row("The carrier could not deliver your parcel", "bad", order=_ALIVE, parcel=_S.FAILED),
    row("The carrier has lost your parcel", "bad", order=_ALIVE, parcel=_S.LOST),
    row("Your parcel is on its way back to us", "bad", order=_ALIVE, parcel=_S.RETURNING),
    row("Your parcel has come back to us", "bad", order=_ALIVE, parcel=_S.RETURNED_TO_SENDER),
    row("The carrier reports your parcel as delivered", "busy", order=_ALIVE, parcel=_S.DELIVERED),
    row("Your parcel is on its way", "busy", order=_ALIVE, parcel=_S.IN_TRANSIT),
    row("Your parcel is on its way", "busy", order=_O.SHIPPED, parcel=_S.CREATED),
    row("Your order is on its way", "busy", order=_O.SHIPPED, parcel=NONE),
    row("We are handing your parcel to the carrier", "busy", order=_ALIVE, parcel=_S.CREATED),
    row("We are packing your order", "busy", order=_O.PROCESSING),
    row("Your order is confirmed", "busy", order=_O.CONFIRMED),
    row("We are reviewing your order", "busy", order=_O.PENDING, reviewing=YES),
    row("We have your order", "busy", order=_O.PENDING, overall=OverallStatus.QUEUED),
    row("We have your order, and your payment is being made", "busy", order=_O.PENDING, payment=_P.PROCESSING),
    row("We have your order, and wait for your payment", "busy", order=_O.PENDING, payment=_P.REQUIRES_ACTION),
    row("We have your order, and its items are reserved", "busy", order=_O.PENDING),
)
"""What is happening now, in one sentence."""

WHY_CANCELLED: Table = tuple(row(says, reason=reason) for reason, says in steps.WHY_CANCELLED.items())
"""Why there is nothing to come."""

OUTLOOKS: Table = (
    row("You cancelled it.", order=_O.CANCELLED, reason=_C.CUSTOMER, own=YES),
    *(Row(one.says, {"order": (_O.CANCELLED,), **one.when}) for one in WHY_CANCELLED),
    row("The carrier could not deliver it.", order=_O.RETURNED, parcel=_S.RETURNED_TO_SENDER),
    row("Your return has been accepted.", order=_O.RETURNED),
    row("Delivered {delivered_at}.", order=_O.DELIVERED),
    row("{failure}", overall=OverallStatus.ROLLING_BACK),
    row("We are undoing what was done so far.", overall=OverallStatus.ROLLING_BACK),
    row("A person reviews it first.", order=_O.PENDING, reviewing=YES, free=YES),
    row("A person reviews it first. You are not charged before that.", order=_O.PENDING, reviewing=YES),
    row("The carrier says that it was delivered {delivered_at}.", order=_ALIVE, parcel=_S.DELIVERED),
    row("We have not confirmed that yet.", order=_ALIVE, parcel=_S.DELIVERED),
    row("It could not be delivered.", order=_ALIVE, parcel=(_S.RETURNING, _S.RETURNED_TO_SENDER)),
    row("It is not expected to arrive.", order=_ALIVE, parcel=_S.LOST),
    row("A new delivery time is not known.", order=_ALIVE, parcel=_S.FAILED),
    row("The carrier keeps it for you to collect.", order=_ALIVE, parcel=_S.AVAILABLE_FOR_PICKUP),
    row("It should be with you {arrival_today}.", order=_ALIVE, parcel=_S.OUT_FOR_DELIVERY),
    row("It should be with you {today}.", order=_ALIVE, parcel=_S.OUT_FOR_DELIVERY),
    row("It should be with you {arrival}.", order=_ALIVE),
    row("A new delivery time is not known yet.", order=_ALIVE, parcel=(_S.ATTEMPTED, _S.OUT_FOR_DELIVERY)),
    row("It was expected {expected}, and is late.", order=_ALIVE),
    row("The delivery time is not known yet.", order=_ALIVE),
)
"""The sentence below it: when it comes, or why it does not."""

_NOTHING_PAID = "You have paid nothing: payment was due on delivery."
_NOT_BACK_YET = "You paid {total}. It has not been refunded yet; the order's page will show the refund."

MONEY: Table = (
    row("{total} was refunded to you in cash {refunded_at}.", way=Way.UNDONE, payment=_P.REFUNDED, method=_CASH),
    row("{total} was refunded to you in cash.", way=Way.UNDONE, payment=_P.REFUNDED, method=_CASH),
    row(
        "{total} was refunded to your {account} {refunded_at}. Banks take a few days to show it.",
        way=Way.UNDONE,
        payment=_P.REFUNDED,
        method=_BY_BANK,
    ),
    row("{total} was refunded to your {account}. Banks take a few days to show it.", way=Way.UNDONE, payment=_P.REFUNDED),
    row("What you paid has been refunded.", way=Way.UNDONE, payment=_P.REFUNDED),
    row(_NOT_BACK_YET, way=Way.UNDONE, payment=_P.COMPLETED),
    row("Some of what you paid has been given back to you. The rest will be.", way=Way.UNDONE, payment=_P.PARTIALLY_REFUNDED),
    row(
        "A payment had begun. If it succeeded, it will be refunded.",
        way=Way.UNDONE,
        payment=(_P.PROCESSING, _P.REQUIRES_ACTION),
    ),
    row("The {total} held on your {account} will be released.", way=Way.UNDONE, payment=_P.AUTHORIZED),
    row("The money that is held for the order will be released.", way=Way.UNDONE, payment=_P.AUTHORIZED),
    row("There was nothing to pay.", way=Way.UNDONE, payment=(NONE, UNTOLD), free=YES),
    row("You were not charged: {declined}", way=Way.UNDONE, payment=_P.FAILED),
    row(_NOTHING_PAID, way=Way.UNDONE, payment=_P.VOIDED, method=_CASH),
    row("You were not charged.", way=Way.UNDONE, payment=(_P.FAILED, _P.VOIDED, NONE)),
    row(_NOTHING_PAID, way=(Way.UNDONE, Way.BACK), payment=_P.PENDING),
    row("If you have paid, you will be refunded.", way=Way.UNDONE, payment=UNTOLD),
    row(
        "You paid {total}. It will be refunded once we have the parcel.",
        way=Way.BACK,
        payment=_P.COMPLETED,
        parcel=_S.RETURNING,
    ),
    row(_NOT_BACK_YET, way=Way.BACK, payment=_P.COMPLETED),
)
"""Where the money is, for an order that does not come; none for any other."""

PAID: Table = (
    row("Nothing to pay", payment=NONE, free=YES),
    row("Not charged", way=(Way.UNDONE, Way.BACK), payment=NONE),
    row("Not charged yet", payment=NONE),
    row("To be paid {by}", way=Way.ON, payment=_P.PENDING),
    row("Not paid", payment=_P.PENDING),
    row("Being paid {by}", way=Way.ON, payment=_P.PROCESSING),
    row("Waiting for you to pay {by}", way=Way.ON, payment=_P.REQUIRES_ACTION),
    row("The payment was not finished", payment=(_P.PROCESSING, _P.REQUIRES_ACTION)),
    row("Held on your {account}", way=Way.ON, payment=_P.AUTHORIZED),
    row("Held", payment=_P.AUTHORIZED),
    row("Paid {by}", payment=_P.COMPLETED),
    row("Paid {by}, and given back in part", payment=_P.PARTIALLY_REFUNDED),
    row("Not paid", payment=_P.VOIDED, method=_CASH),
    row("Not charged", payment=(_P.FAILED, _P.VOIDED)),
    row("Refunded {refunded_at}", payment=_P.REFUNDED),
    row("Refunded", payment=_P.REFUNDED),
)
"""How it was paid, in a few words."""

METHODS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        _M.CREDIT_CARD: {"account": "card", "by": "by card"},
        _M.BANK_TRANSFER: {"account": "bank account", "by": "by bank transfer"},
        _M.DIGITAL_WALLET: {"account": "wallet", "by": "by wallet"},
        _CASH: {"by": "in cash on delivery"},
    }
)
"""How each method is mentioned in a sentence."""

PARCELS: Table = (
    row("Being recalled", order=_ALIVE, way=Way.UNDONE, parcel=(_S.CREATED, _S.IN_TRANSIT)),
    row("Being recalled", overall=OverallStatus.ROLLING_BACK, order=_O.CANCELLED, parcel=(_S.CREATED, _S.IN_TRANSIT)),
    row("Recalled", order=_O.CANCELLED, parcel=(_S.CREATED, _S.IN_TRANSIT)),
    row("Being handed over", parcel=_S.CREATED),
    row("In transit", parcel=_S.IN_TRANSIT),
    row("Out for delivery", parcel=_S.OUT_FOR_DELIVERY),
    row("Ready to be collected", parcel=_S.AVAILABLE_FOR_PICKUP),
    row("Delivery attempted", parcel=_S.ATTEMPTED),
    row("Delivered", parcel=_S.DELIVERED),
    row("Delivery failed", parcel=_S.FAILED),
    row("Lost by the carrier", parcel=_S.LOST),
    row("On its way back to us", parcel=_S.RETURNING),
    row("Returned to sender", parcel=_S.RETURNED_TO_SENDER),
)
"""The carrier's latest word on a parcel."""

SCANS: Table = (
    row("Announced to the carrier", parcel=_S.CREATED),
    *(one for one in PARCELS if set(one.when) == {"parcel"}),
)
"""One scan on a parcel's way."""

RETURNS: Table = (
    row("We have your request, and will tell you whether to send it back.", sent_back=_R.REQUESTED),
    row("Please send it back. You are refunded once we have it.", sent_back=_R.APPROVED),
    row("We have received it, and are refunding you.", sent_back=_R.RECEIVED),
    row("It is done: what came back has been refunded.", sent_back=_R.CLOSED),
    row("We could not accept this return.", sent_back=_R.DECLINED),
    row("This return was canceled.", sent_back=_R.CANCELED),
)
"""How a return stands."""

_BY_CIRCUMSTANCE: Table = (
    row("Sold out", step=_N.INVENTORY, state=_Z.FAILED, reason=_C.OUT_OF_STOCK),
    row("Nothing to pay", step=_N.PAYMENT, state=(_Z.PENDING, _Z.IN_PROGRESS, _Z.SKIPPED), payment=NONE, free=YES),
    row("Pay on delivery", step=_N.PAYMENT, state=_Z.SKIPPED, method=_CASH, way=Way.ON),
    row("Not paid", step=_N.PAYMENT, state=_Z.SKIPPED, method=_CASH),
    row("Paying", step=_N.PAYMENT, state=_Z.IN_PROGRESS, payment=_P.PROCESSING),
    row(
        "Refunded",
        step=_N.PAYMENT,
        state=(_Z.COMPLETED, _Z.FAILED, _Z.COMPENSATING, _Z.COMPENSATED),
        payment=_P.REFUNDED,
    ),
    row(
        "Refund due",
        step=_N.PAYMENT,
        state=(_Z.COMPENSATING, _Z.FAILED),
        payment=(_P.COMPLETED, _P.PARTIALLY_REFUNDED),
    ),
    row(
        "Being stopped",
        step=_N.PAYMENT,
        state=(_Z.COMPENSATING, _Z.FAILED),
        payment=(_P.PROCESSING, _P.REQUIRES_ACTION, _P.AUTHORIZED),
    ),
    row("On its way", step=_N.DELIVERY, state=_Z.IN_PROGRESS, parcel=(NONE, _S.CREATED, _S.IN_TRANSIT)),
    *(
        Row(one.says, {"step": (_N.DELIVERY,), "state": (_Z.IN_PROGRESS,), **one.when})
        for one in PARCELS
        if set(one.when) == {"parcel"} and _S.DELIVERED not in one.when["parcel"]
    ),
    row("Being confirmed", step=_N.DELIVERY, state=_Z.IN_PROGRESS, parcel=_S.DELIVERED),
    row("Came back", step=_N.DELIVERY, state=_Z.FAILED, parcel=_S.RETURNED_TO_SENDER),
)

STEPS: Table = (
    *_BY_CIRCUMSTANCE,
    *(row(label, step=one.name, state=state) for one in steps.DEFINITIONS for state, label in one.labels.items()),
)
"""A step of the progress in a word or two: by what became of the money or the parcel, else as the step itself is called."""

STATES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        _Z.PENDING: {"state": "todo", "says": "still to come"},
        _Z.IN_PROGRESS: {"state": "doing", "says": "now"},
        _Z.COMPLETED: {"state": "done", "says": "done"},
        _Z.FAILED: {"state": "failed", "says": "failed"},
        _Z.COMPENSATING: {"state": "undoing", "says": "being undone"},
        _Z.COMPENSATED: {"state": "undone", "says": "undone"},
        _Z.SKIPPED: {"state": "skipped", "says": "did not happen"},
    }
)
"""How each status of a step is drawn, and what a screen reader says of it."""
ON_DELIVERY: Mapping[str, str] = MappingProxyType({"state": "later", "says": "on delivery"})
"""The same of a payment in cash before the delivery."""

NOTICES: Table = (
    row("Thank you! We have received your order {order_id}.", subject="We have your order", order=_O.PENDING),
    row(
        "Order {order_id} is confirmed. You pay when it is delivered.",
        subject="Your order is confirmed",
        order=_O.CONFIRMED,
    ),
    row("We are preparing order {order_id}.", subject="We are preparing your order", order=_O.PROCESSING),
    row("Order {order_id} has been handed over to the carrier.", subject="Your order is on its way", order=_O.SHIPPED),
    row("Order {order_id} has been delivered. Enjoy!", subject="Your order has arrived", order=_O.DELIVERED),
    row("Order {order_id} was cancelled. {why} {money}", subject="Your order was cancelled", order=_O.CANCELLED),
    row("Order {order_id} was cancelled. {money}", subject="Your order was cancelled", order=_O.CANCELLED),
    row(
        "Order {order_id} could not be delivered, and has come back to us. {money}",
        subject="Your parcel has come back to us",
        order=_O.RETURNED,
        before=_O.SHIPPED,
    ),
    row("Your return of order {order_id} has been accepted. {money}", subject="Your return", order=_O.RETURNED),
)
"""The notice of a change of status to the customer, as subject and text."""


def find(table: Table, facts: Mapping[str, str], values: Mapping[str, str]) -> Row | None:
    """The first row that fits; ``None`` where nothing is to be said, or a value is a later release's."""
    return next((one for one in table if one.fits(facts, values)), None)


def say(table: Table, facts: Mapping[str, str], values: Mapping[str, str]) -> str | None:
    """The sentence itself, filled."""
    found = find(table, facts, values)
    return found.says.format_map(values) if found else None


def for_pages(told: Callable[[str], str] = str) -> dict[str, Any]:
    """The tables that pages read, as JSON; ``told`` is a sentence in the reader's language."""
    tables = {
        "headlines": HEADLINES,
        "outlooks": OUTLOOKS,
        "money": MONEY,
        "paid": PAID,
        "parcels": PARCELS,
        "scans": SCANS,
        "returns": RETURNS,
        "steps": STEPS,
    }
    whole = {name: [_plain(one, told) for one in table] for name, table in tables.items()}
    methods = {method: {name: told(said) for name, said in words.items()} for method, words in METHODS.items()}
    states = {state: _drawn(shown, told) for state, shown in STATES.items()}
    drawn = {"methods": methods, "states": states, "later": _drawn(ON_DELIVERY, told)}
    return whole | drawn | {"ended": sorted(ENDED), **_names()}


def _names() -> dict[str, Any]:
    """What pages look for by name: some of the steps, and the states of the machines in which the gateway is called."""
    payment = steps.BY_NAME[_N.PAYMENT]
    undone = steps.UNDOINGS[_N.PAYMENT]
    return {
        "names": {"review": _N.REVIEW, "payment": _N.PAYMENT, "delivery": _N.DELIVERY},
        "charging": [payment.task.state, undone.task.state],
    }


def _plain(one: Row, told: Callable[[str], str]) -> dict[str, Any]:
    return {"says": told(one.says), "when": {**one.when}, **({"mood": one.mood} if one.mood else {})}


def _drawn(shown: Mapping[str, str], told: Callable[[str], str]) -> dict[str, str]:
    return {"state": shown["state"], "says": told(shown["says"])}
