"""Money, times and ids."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.ids import fingerprint, uuid7
from orders.money import Money
from orders.order import moment, timestamp

amounts = st.integers(min_value=-(10**15), max_value=10**15)
moments = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.timezones(),
)


def test_money_of_two_currencies_has_no_sum() -> None:
    with pytest.raises(ValueError, match="EUR"):
        Money(1, "USD") + Money(1, "EUR")


@given(amounts, amounts, st.integers(min_value=0, max_value=10_000))
def test_money_adds_up_to_the_cent(first: int, second: int, quantity: int) -> None:
    together = (Money(first, "USD") + Money(second, "USD")).times(quantity)
    assert together == Money(first, "USD").times(quantity) + Money(second, "USD").times(quantity)
    assert isinstance(together.amount, int)


def test_a_timestamp_is_utc_with_z_and_milliseconds() -> None:
    there = datetime(2026, 11, 20, 13, 0, 0, 123_987, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(there) == "2026-11-20T12:00:00.123Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


@given(moments)
def test_a_timestamp_is_read_back_as_the_same_millisecond(when: datetime) -> None:
    read = moment(timestamp(when))
    assert timedelta(0) <= when - read < timedelta(milliseconds=1)
    assert timestamp(read) == timestamp(when)


@pytest.mark.parametrize("text", ["", "now", "2026-11-20", "2026-11-20T12:00:00", "2026-11-20T25:00:00Z"])
def test_what_is_no_time_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(text)


@given(moments, st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_holds_its_time(when: datetime, random: bytes) -> None:
    made = UUID(uuid7(when, random))
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(when.timestamp() * 1000)


@given(moments, moments, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_the_time_they_were_made(one: datetime, other: datetime, first: bytes, second: bytes) -> None:
    early, late = sorted((one, other))
    if int(early.timestamp() * 1000) < int(late.timestamp() * 1000):
        assert uuid7(early, first) < uuid7(late, second)


@given(moments, st.binary(min_size=10, max_size=10), st.integers(min_value=0, max_value=79))
def test_all_the_randomness_of_an_id_counts(when: datetime, random: bytes, bit: int) -> None:
    other = (int.from_bytes(random, "big") ^ 1 << bit).to_bytes(10, "big")
    # Six of the eighty bits give way to version and variant.
    if bit not in {62, 63, 76, 77, 78, 79}:
        assert uuid7(when, random) != uuid7(when, other)


@given(st.text(), st.text())
def test_two_texts_have_one_fingerprint_only_if_they_are_one(one: str, other: str) -> None:
    assert (fingerprint(one) == fingerprint(other)) is (one == other)
