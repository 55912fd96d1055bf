"""Money, times and ids."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cli import rendering
from orders.domain.identifiers import fingerprint, uuid7
from orders.domain.money import MINOR_UNITS, USUAL_MINOR_UNITS, Money
from orders.domain.order import moment, timestamp

amounts = st.integers(min_value=-(10**15), max_value=10**15)
moments = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone; a day later no zone is before the epoch
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


# --- minor units ---

PAGES_TABLE = Path(__file__).parents[2] / "functions" / "pages" / "currencies.js"


@pytest.mark.parametrize("currency", [one for one in iso4217.Currency if one.exponent is not None], ids=lambda one: one.code)
def test_every_currency_has_the_digits_that_iso_4217_gives_it(currency: iso4217.Currency) -> None:
    assert MINOR_UNITS.get(currency.code, USUAL_MINOR_UNITS) == currency.exponent


def test_no_currency_is_listed_that_iso_4217_does_not_know() -> None:
    assert set(MINOR_UNITS) <= {one.code for one in iso4217.Currency}


def test_pages_have_the_same_table() -> None:
    found = re.findall(r'"([A-Z]{3})": (\d)', PAGES_TABLE.read_text(encoding="utf-8"))
    assert {code: int(digits) for code, digits in found} == MINOR_UNITS


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (3000, "USD", "30.00 USD"),
        (5, "USD", "0.05 USD"),
        (-5, "USD", "-0.05 USD"),
        (500, "JPY", "500 JPY"),
        (0, "JPY", "0 JPY"),
        (123456, "HUF", "1234.56 HUF"),
        (123456, "COP", "1234.56 COP"),
        (1234, "IQD", "1.234 IQD"),
        (7, "BHD", "0.007 BHD"),
    ],
)
def test_money_is_written_with_all_the_digits_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert str(Money(amount, currency)) == text


@pytest.mark.parametrize(
    ("currency", "text"), [("USD", "30.00 USD"), ("HUF", "30.00 HUF"), ("IQD", "3.000 IQD"), ("JPY", "3000 JPY")]
)
def test_the_demo_prints_money_by_the_same_table(currency: str, text: str) -> None:
    assert rendering.money({"amount": 3000, "currency": currency}) == text
