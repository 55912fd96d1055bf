"""What each payment provider and each carrier does, whichever it is: every call has its effect once for its key."""

from dataclasses import replace

import pytest

from orders.adapters.carriers.protocol import Carrier
from orders.adapters.carriers.registry import parcel_carrier
from orders.adapters.payments.protocol import PaymentGateway
from orders.adapters.payments.registry import payment_gateway
from orders.domain.money import Money
from orders.domain.steps import PaymentDeclined, ShippingRefused
from tests.harness.orders import CUP, HOME
from tests.harness.providers import CARRIERS, PAYMENTS, CarrierCase, PaymentCase
from tests.harness.world import World

PRICE = Money(1000, "USD")
KEY = "key-1"


@pytest.fixture(params=sorted(PAYMENTS))
def payment(request: pytest.FixtureRequest, world: World) -> tuple[PaymentGateway, PaymentCase]:
    return payment_gateway(request.param), PAYMENTS[request.param]


def test_a_charge_may_be_repeated(payment: tuple[PaymentGateway, PaymentCase]) -> None:
    gateway, case = payment
    assert gateway.was_charged(KEY) is None
    for _ in range(2):
        gateway.charge(KEY, PRICE, case.accepted)
    assert gateway.was_charged(KEY) is True


def test_a_declined_charge_stays_declined(payment: tuple[PaymentGateway, PaymentCase]) -> None:
    gateway, case = payment
    for _ in range(2):
        with pytest.raises(PaymentDeclined):
            gateway.charge(KEY, PRICE, case.declined)
    assert gateway.was_charged(KEY) is False
    assert gateway.cancel(KEY) is False


def test_what_is_cancelled_is_never_charged(payment: tuple[PaymentGateway, PaymentCase]) -> None:
    gateway, case = payment
    assert [gateway.cancel(KEY), gateway.cancel(KEY)] == [False, False]
    with pytest.raises(PaymentDeclined):
        gateway.charge(KEY, PRICE, case.accepted)
    assert gateway.was_charged(KEY) is False


def test_a_cancellation_says_that_there_is_a_charge_to_refund(payment: tuple[PaymentGateway, PaymentCase]) -> None:
    gateway, case = payment
    gateway.charge(KEY, PRICE, case.accepted)
    assert gateway.cancel(KEY) is True
    for _ in range(2):
        gateway.refund(KEY)
    assert gateway.cancel(KEY) is True


def test_cash_is_recorded_once_and_can_be_refunded(payment: tuple[PaymentGateway, PaymentCase]) -> None:
    gateway, _ = payment
    for _ in range(2):
        gateway.collected(KEY, PRICE)
    assert gateway.cancel(KEY) is True
    gateway.refund(KEY)


@pytest.fixture(params=sorted(CARRIERS))
def carrier(request: pytest.FixtureRequest, world: World) -> tuple[Carrier, CarrierCase]:
    return parcel_carrier(request.param), CARRIERS[request.param]


def test_a_booking_may_be_repeated(carrier: tuple[Carrier, CarrierCase]) -> None:
    ours, case = carrier
    address = replace(HOME, postal_code=case.accepted)
    first, second = (ours.book(KEY, address, (CUP,)) for _ in range(2))
    assert first == second
    assert ours.book("key-2", address, (CUP,)).tracking_number != first.tracking_number


def test_a_refused_parcel_stays_refused(carrier: tuple[Carrier, CarrierCase]) -> None:
    ours, case = carrier
    for _ in range(2):
        with pytest.raises(ShippingRefused):
            ours.book(KEY, replace(HOME, postal_code=case.refused), (CUP,))


def test_what_is_recalled_is_never_booked(carrier: tuple[Carrier, CarrierCase]) -> None:
    ours, case = carrier
    for _ in range(2):
        ours.recall(KEY)
    with pytest.raises(ShippingRefused):
        ours.book(KEY, replace(HOME, postal_code=case.accepted), (CUP,))


def test_a_booked_parcel_can_be_recalled(carrier: tuple[Carrier, CarrierCase]) -> None:
    ours, case = carrier
    address = replace(HOME, postal_code=case.accepted)
    ours.book(KEY, address, (CUP,))
    for _ in range(2):
        ours.recall(KEY)
    with pytest.raises(ShippingRefused):
        ours.book(KEY, address, (CUP,))
