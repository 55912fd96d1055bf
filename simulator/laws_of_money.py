"""The laws of money: what was charged and given back, by the row, by the provider's book and by the trail.

As in ``laws``: one function each, which yields a sentence for each breach.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from orders.domain.events import SYSTEM
from orders.domain.payment import Payment
from orders.domain.refund import is_open, total
from orders.domain.statuses import (
    PAYMENT_TRANSITIONS,
    TAKEN,
    TERMINAL,
    VOIDABLE,
    CaptureStatus,
    OrderStatus,
    ParcelEnd,
    PaymentMethod,
    PaymentStatus,
    RefundStatus,
    has_reached,
)
from simulator import two_releases
from simulator.books import Account, Books, Entry, keys_of
from simulator.laws_of_parts import in_parcels

_O, _P = OrderStatus, PaymentStatus


def money(books: Books) -> Iterator[str]:
    """Charged at most once; kept of what was delivered, given back of what was not; the row says what the provider says."""
    for name, account in books.accounts.items():
        # Of an order that comes to nothing edition one takes a payment of nothing: there is nothing to keep or to give back.
        for error in _errors_of_money(books, account) if not _is_nothing_due(books, account) else ():
            yield f"{name}: {error}: {account.story()}"
        by_edition_one = two_releases.may_have_charged(books, account)
        if account.order.is_free and account.payment is not None and not by_edition_one:
            yield f"{name}: there is nothing to pay, and it has a payment: {account.story()}"
    for key in books.world.taken:
        entry = books.ledger.get(key)
        if entry is None or entry.state not in ("charged", "refunded"):
            yield f"{key} was charged, and the provider says {entry.state if entry else 'nothing'}"
    known = {key for account in books.accounts.values() if account.payment for key in keys_of(account.payment)}
    for key in books.ledger.keys() - known:
        yield f"the provider's {key} belongs to no payment"


def _is_nothing_due(books: Books, account: Account) -> bool:
    """Whether an order came to nothing, or nothing was taken and all of it that cost something did not arrive."""
    order, entry = account.order, books.charged(account)
    has_ended = account.payment is not None and account.payment.status in (_P.VOIDED, _P.FAILED)
    is_untaken = entry is None or (has_ended and entry.state == "voided")
    return order.is_free or (order.status is _O.DELIVERED and is_untaken and not _worth_of_what_is_kept(account))


def _errors_of_money(books: Books, account: Account) -> Iterator[str]:
    order, payment, entry = account.order, account.payment, books.charged(account)
    state = entry.state if entry else "nothing"
    taken = payment.amount_captured if payment else 0
    is_paid = taken and state in ("charged", "refunded")
    if order.status is _O.DELIVERED and not is_paid and not account.times("CAPTURE_REFUSED"):
        yield f"delivered, the payment is {payment and payment.status}, the provider says {state}"
    yield from _errors_of_what_is_kept(account, payment) if order.status is _O.DELIVERED and payment else ()
    yield from _errors_of_refunds(books, account, entry)
    if entry and state in ("charged", "refunded"):
        yield from _errors_of_amount(account, entry)
    if order.status in TERMINAL and state == "charged" and not _was_refused(account, entry):
        yield f"{order.status}, and the money was kept"
    if order.status in TERMINAL and payment and payment.status in {*VOIDABLE, *TAKEN}:
        yield f"{order.status}, and the payment is {payment.status}"
    if payment and (payment.status is _P.REFUNDED) is not (state == "refunded") and not _came_late(books, account, entry):
        yield f"the payment is {payment.status}, the provider says {state}"
    cash = order.method is PaymentMethod.CASH_ON_DELIVERY
    if not cash and account.times("PAYMENT_COMPLETED") > 1:
        yield "its payment was completed twice"
    if cash and entry and state in ("charged", "refunded") and not has_reached(order.status, _O.DELIVERED):
        yield f"cash was collected of an order that is {order.status}"


def _errors_of_what_is_kept(account: Account, payment: Payment) -> Iterator[str]:
    """The customer has paid what they have got is worth, and less only where staff gave money back, or it was refused."""
    worth = _worth_of_what_is_kept(account)
    kept = payment.amount_captured - payment.amount_refunded
    is_given = any(refund.requested_by != SYSTEM and refund.return_id is None for refund in account.refunds)
    if kept > worth or (kept < worth and not is_given and not account.times("CAPTURE_REFUSED")):
        yield f"{kept} is kept for goods worth {worth}"


def _worth_of_what_is_kept(account: Account) -> int:
    lost = in_parcels(account, ParcelEnd.LOST)
    got = {name: line.wanted - line.quantity_returned - lost[name] for name, line in account.order.lines_by_id.items()}
    return account.order.shares.to_take(got) if any(got.values()) else 0


def _errors_of_refunds(books: Books, account: Account, entry: Entry | None) -> Iterator[str]:
    """What was given back, by the refunds, by the payment and by the provider's book; nobody waits for money any more."""
    payment = account.payment
    if payment is None:
        return
    given_back = total(account.refunds, RefundStatus.COMPLETED)
    if given_back > payment.amount_captured:
        yield f"{given_back} was given back of {payment.amount_captured}"
    if given_back != payment.amount_refunded and not two_releases.may_have_charged(books, account):
        yield f"its refunds come to {given_back}, the payment says {payment.amount_refunded}"
    if entry and entry.given_back != payment.amount_refunded and not _came_late(books, account, entry):
        yield f"the provider has given {entry.given_back} back, the payment says {payment.amount_refunded}"
    for refund in account.refunds:
        if is_open(refund, payment, account.refunds):
            yield f"its {refund.refund_id} is still {refund.status}"


def _came_late(books: Books, account: Account, entry: Entry | None) -> bool:
    """Whether money came for a payment that had ended: it was given back, and the payment stays as it ended.

    A transfer comes whenever it likes; a payment that edition one ended is not voided at the provider, which it could not ask.
    """
    payment = account.payment
    if payment is None or entry is None or entry.state != "refunded":
        return False
    may_come = bool(entry.facts.get("transfer")) or two_releases.may_have_charged(books, account)
    return may_come and payment.status in (_P.VOIDED, _P.FAILED)


def _was_refused(account: Account, entry: Entry | None) -> bool:
    """Whether the provider did not give back what came after the end: the trail says so, and people see to it."""
    payment = account.payment
    has_ended = payment is not None and payment.status in (_P.VOIDED, _P.FAILED)
    return has_ended and entry is not None and bool(entry.facts.get("refused")) and bool(account.times("PAYMENT_REPORTED"))


def _errors_of_amount(account: Account, entry: Entry) -> Iterator[str]:
    """Of an order whose pieces go several ways less may be charged than all of it, never more."""
    amount, total = entry.facts["amount"], account.order.total
    is_right = amount <= total.amount if account.is_divided else amount == total.amount
    if not is_right or entry.facts["currency"] != total.currency:
        yield f"charged {entry.facts} for {total}"


def payments(books: Books) -> Iterator[str]:
    """The payment's statuses on the trail follow its own transitions."""
    for name, account in books.accounts.items():
        said = [event.metadata["payment_status"] for event in account.trail if event.metadata.get("payment_status")]
        path = [PaymentStatus(status) for status in said if status in set(PaymentStatus)]
        for before, after in pairwise(path):
            # A charge whose outcome was unknown is completed and refunded in one change.
            allowed = PAYMENT_TRANSITIONS[before].union(
                *(PAYMENT_TRANSITIONS[between] for between in PAYMENT_TRANSITIONS[before])
            )
            if after is not before and after not in allowed:
                yield f"{name}: a payment that was {before} became {after}: {account.story()}"


def captures(books: Books) -> Iterator[str]:
    """Of money that is held so much is taken as was handed over, once, by the row and the provider; none is held forever."""
    for name, account in books.accounts.items():
        payment, entry = account.payment, books.charged(account)
        if payment is None or not payment.is_captured_later:
            continue
        for error in _errors_of_captures(account, payment, entry):
            yield f"{name}: {error}: {account.story()}"


def _errors_of_captures(account: Account, payment: Payment, entry: Entry | None) -> Iterator[str]:
    taken = entry.facts.get("captures", {}) if entry else {}
    if payment.status is _P.AUTHORIZED or (entry and entry.state == "held"):
        yield f"money is still held: the payment is {payment.status}, the provider says {entry and entry.state}"
    if sum(taken.values()) != payment.amount_captured:
        yield f"the provider has taken {sum(taken.values())}, the payment says {payment.amount_captured}"
    if len(taken) > len(account.shipments):
        yield f"captured {len(taken)} times for {len(account.shipments)} parcels"
    if any(capture.status is CaptureStatus.PENDING for capture in payment.captures):
        yield "a capture was never decided"
    if payment.amount_captured and not any(
        account.times(kind) for kind in ("HANDOVER_STARTED", "PARCEL_SHIPPED", "ORDER_SHIPPED")
    ):
        yield "money was taken before anything was handed over"
    order = account.order
    sent = {name: line.quantity_shipped for name, line in order.lines_by_id.items()}
    worth = order.shares.to_take(sent) if account.is_divided else order.total.amount
    # What was taken for a parcel that was given up is given back.
    least, most = payment.amount_captured - (payment.amount_refunded if account.is_divided else 0), payment.amount_captured
    if order.status is _O.DELIVERED and most and not least <= worth <= most:
        yield f"delivered, and {payment.amount_captured} of {worth} was taken"
