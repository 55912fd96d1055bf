"""The table of sentences has one for every value of every axis, and names nothing that is not there."""

from collections.abc import Iterator

import pytest

from orders.domain import sentences
from orders.domain.sentences import AXES, NONE, UNTOLD, Row, Table, Way, find, say
from orders.domain.statuses import OrderStatus, PaymentMethod, PaymentStatus, ReturnStatus, ShipmentStatus, StepStatus
from orders.domain.steps import CancelReason, StepName

TABLES = {name: table for name, table in vars(sentences).items() if name[0].isalpha() and isinstance(table, tuple)}
VALUES = frozenset(
    {"account", "arrival", "arrival_today", "by", "declined", "delivered_at", "expected", "failure", "money", "order_id"}
    | {"refunded_at", "today", "total", "why"}
)


def rows() -> Iterator[tuple[str, Row]]:
    return ((name, row) for name, table in TABLES.items() for row in table)


@pytest.mark.parametrize(("name", "row"), [*rows()], ids=lambda part: part if isinstance(part, str) else part.says[:40])
def test_a_row_depends_on_what_there_is(name: str, row: Row) -> None:
    for axis, allowed in row.when.items():
        assert set(allowed) <= AXES[axis], f"{name}: {axis}"
    assert set(row.mentions) <= VALUES
    assert row.says
    assert (row.mood is not None) is (name == "HEADLINES")
    assert (row.subject is not None) is (name == "NOTICES")


def spoken(table: Table, **facts: str) -> str:
    found = say(table, facts, {})
    assert found, f"nothing is said of {facts}"
    return found


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_of_an_order_has_its_headline_and_its_notice(status: OrderStatus) -> None:
    assert spoken(sentences.HEADLINES, order=status, parcel=NONE)
    assert find(sentences.NOTICES, {"order": status}, dict.fromkeys(VALUES, "x"))


@pytest.mark.parametrize("status", ShipmentStatus)
def test_every_status_of_a_parcel_has_its_words(status: ShipmentStatus) -> None:
    on_its_way = {"order": OrderStatus.SHIPPED, "way": Way.ON, "parcel": status}
    words = [spoken(table, **on_its_way) for table in (sentences.HEADLINES, sentences.OUTLOOKS, sentences.PARCELS)]
    assert all(words)
    assert spoken(sentences.SCANS, parcel=status)
    assert spoken(sentences.STEPS, step=StepName.DELIVERY, state=StepStatus.IN_PROGRESS, parcel=status)


@pytest.mark.parametrize("status", ReturnStatus)
def test_every_status_of_a_return_has_its_words(status: ReturnStatus) -> None:
    assert spoken(sentences.RETURNS, sent_back=status)


def test_no_two_statuses_of_a_parcel_are_called_the_same() -> None:
    for table in (sentences.PARCELS, sentences.SCANS):
        assert len({spoken(table, parcel=status) for status in ShipmentStatus}) == len(ShipmentStatus)


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("method", PaymentMethod)
def test_every_status_of_a_payment_has_its_words(status: PaymentStatus, method: PaymentMethod) -> None:
    values = {**sentences.METHODS[method], "total": "30.00 USD"}
    for way in Way:
        assert find(sentences.PAID, {"payment": status, "method": method, "way": way}, values)
    assert find(sentences.MONEY, {"payment": status, "method": method, "way": Way.UNDONE}, values)


@pytest.mark.parametrize("missing", [NONE, UNTOLD])
def test_the_end_of_an_order_without_a_known_payment_has_its_words(missing: str) -> None:
    assert spoken(sentences.MONEY, payment=missing, way=Way.UNDONE)


@pytest.mark.parametrize("reason", CancelReason)
def test_every_reason_of_a_cancellation_has_its_sentence(reason: CancelReason) -> None:
    assert spoken(sentences.WHY_CANCELLED, reason=reason) == spoken(
        sentences.OUTLOOKS, order=OrderStatus.CANCELLED, reason=reason
    )


@pytest.mark.parametrize("step", StepName)
@pytest.mark.parametrize("state", StepStatus)
def test_every_step_has_its_word_in_every_status(step: StepName, state: StepStatus) -> None:
    assert spoken(sentences.STEPS, step=step, state=state, parcel=NONE, payment=NONE)
    assert sentences.STATES[state]["says"]


def test_a_sentence_with_a_time_is_not_said_without_one() -> None:
    facts = {"order": OrderStatus.SHIPPED, "way": Way.ON, "parcel": ShipmentStatus.IN_TRANSIT}
    assert say(sentences.OUTLOOKS, facts, {"arrival": "tomorrow"}) == "It should be with you tomorrow."
    assert say(sentences.OUTLOOKS, facts, {}) == "The delivery time is not known yet."


def test_what_a_later_release_has_written_is_not_guessed() -> None:
    assert find(sentences.HEADLINES, {"order": "ON_THE_MOON"}, {}) is None
