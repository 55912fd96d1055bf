"""Cursors and tracking links: signed, bound to their purpose, and worth nothing once a byte has changed."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.errors import InvalidArgument, PermissionDenied
from orders.domain.identifiers import OrderId
from orders.services.tracking_links import TRACKING_LIFETIME
from orders.web import tokens
from tests.harness.orders import START

KEY = b"a key of this test"
LINK = tokens.tracking_token(OrderId("order-1"), START, KEY)
CURSOR = tokens.cursor("2026-11-20T12:00:00.000Z#order-1", "ada/*", KEY)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def opens(text: str, order_id: str = "order-1", days: float = 0, key: bytes = KEY) -> bool:
    try:
        tokens.check_tracking_token(text, OrderId(order_id), START + timedelta(days=days), key)
    except PermissionDenied:
        return False
    return True


def test_a_tracking_link_opens_its_order_until_it_expires() -> None:
    lifetime = TRACKING_LIFETIME / timedelta(days=1)
    assert opens(LINK)
    assert opens(LINK, days=lifetime - 0.01)
    assert not opens(LINK, days=lifetime)


def test_a_tracking_link_opens_no_other_order() -> None:
    assert not opens(LINK, order_id="order-2")
    assert not opens(LINK, order_id="order-10")
    assert not opens(LINK, order_id="")


def test_a_tracking_link_of_another_key_opens_nothing() -> None:
    assert not opens(tokens.tracking_token(OrderId("order-1"), START, b"another key"))


@pytest.mark.parametrize("position", range(len(LINK)))
def test_a_tracking_link_with_one_character_changed_opens_nothing(position: int) -> None:
    for character in "Ax_.=\n é":
        if LINK[position] != character:
            assert not opens(LINK[:position] + character + LINK[position + 1 :])
    assert not opens(LINK[:position])
    assert not opens(LINK[:position] + LINK[position + 1 :])


@pytest.mark.parametrize("position", range(len(CURSOR)))
def test_a_cursor_with_one_character_changed_leads_nowhere(position: int) -> None:
    for character in "Ax_.=":
        if CURSOR[position] != character:
            with pytest.raises(InvalidArgument):
                tokens.place_of(CURSOR[:position] + character + CURSOR[position + 1 :], "ada/*", KEY)


@given(st.text())
def test_what_we_have_not_written_is_refused(text: str) -> None:
    assert not opens(text)
    with pytest.raises(InvalidArgument):
        tokens.place_of(text, "ada/*", KEY)


def test_a_lone_surrogate_is_refused_like_any_other_forgery() -> None:
    assert not opens("\ud800.\ud800")


def test_a_cursor_opens_no_order_and_a_link_leads_nowhere() -> None:
    assert not opens(tokens.cursor("9999999999", "order-1", KEY))
    with pytest.raises(InvalidArgument):
        tokens.place_of(tokens.tracking_token(OrderId("ada/*"), START, KEY), "ada/*", KEY)


def test_a_cursor_belongs_to_its_list() -> None:
    assert tokens.place_of(CURSOR, "ada/*", KEY) == "2026-11-20T12:00:00.000Z#order-1"
    for scope in ("*/*", "grace/*", "ada/PENDING", ""):
        with pytest.raises(InvalidArgument):
            tokens.place_of(CURSOR, scope, KEY)


@given(VALUES)
def test_whatever_is_sealed_comes_back_as_it_was(value: object) -> None:
    assert tokens.unseal("purpose", tokens.seal("purpose", value, KEY), KEY) == value
