"""Idempotency keys over releases whose requests have other members: a key holds for what was sent with it."""

from typing import Any

import pytest

from orders.domain.errors import IdempotencyMismatch
from orders.web import order_bodies
from tests.harness.bodies import a_body
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import SharedTable

KEY = {"idempotency-key": "one key"}


class Later(order_bodies.PlaceOrder):
    """The request as a later release may take it: members with defaults, one of them edition one's with another default."""

    gift: bool = False
    note: str | None = None
    require_approval: bool = True


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The present code takes what a later release takes."""
    monkeypatch.setattr(order_bodies, "PlaceOrder", Later)


def post(table: SharedTable, body: dict[str, Any], release: Release) -> tuple[int, str]:
    """The answer's status, and the order's id or what is wrong."""
    table.release = release
    answer = table.http("POST /orders", None, body, headers=KEY)
    return answer.status, answer.order["order_id"] if answer.status == 202 else answer.code


MISMATCH = (IdempotencyMismatch.http_status, IdempotencyMismatch.code)


def test_a_member_with_a_default_breaks_no_key_given_before(
    table: SharedTable, old: Release, new: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given in (old, new):
        placed = post(table, a_body(), given)
        assert placed[0] == 202
        with monkeypatch.context() as patch:
            patch.setattr(order_bodies, "PlaceOrder", Later)
            assert post(table, a_body(), new) == placed
            assert post(table, a_body(gift=True), new) == MISMATCH
            assert post(table, a_body(gift=False), new) == MISMATCH, "it is another body, whatever it means"
            assert post(table, a_body(require_approval=True), new) == MISMATCH
        assert post(table, a_body(), old) == placed
        table.clear()


@pytest.mark.usefixtures("later")
def test_a_key_given_with_a_new_member_holds_for_it_alone(table: SharedTable, old: Release, new: Release) -> None:
    placed = post(table, a_body(gift=True, note="Happy birthday"), new)
    assert placed[0] == 202
    assert post(table, dict(reversed(a_body(note="Happy birthday", gift=True).items())), new) == placed
    for other in (a_body(gift=True), a_body(gift=True, note="Get well"), a_body(gift=False, note="Happy birthday"), a_body()):
        assert post(table, other, new) == MISMATCH
    assert post(table, a_body(), old) == MISMATCH, "the release before does not take it for another request's"


@pytest.mark.usefixtures("later")
def test_a_key_given_by_a_later_release_is_honored_by_the_one_before(table: SharedTable, old: Release, new: Release) -> None:
    placed = post(table, a_body(require_approval=False), new)
    assert placed[0] == 202
    assert post(table, a_body(require_approval=False), old) == placed
    assert post(table, a_body(require_approval=True), old) == MISMATCH
    assert post(table, a_body(items=[{"product_id": "prod-001", "quantity": 3}]), old) == MISMATCH


def test_texts_are_compared_as_edition_one_compared_them(table: SharedTable, old: Release, new: Release) -> None:
    address = a_body()["shipping_address"]
    placed = post(table, a_body(shipping_address={**address, "name": " Ada Lovelace "}), old)
    for release in (new, old):
        assert post(table, a_body(), release) == placed
        assert post(table, a_body(shipping_address={**address, "line2": None}), release) == placed
        assert post(table, a_body(shipping_address={**address, "name": "Ada  Lovelace"}), release) == MISMATCH
