"""What each payment provider and each carrier does, whichever it is: every call has its effect once for its key."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from orders.adapters.carriers.protocol import Carrier
from orders.adapters.carriers.registry import parcel_carrier
from orders.adapters.payments.protocol import Intent, PaymentGateway
from orders.domain.errors import GatewayUnavailable
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.money import Money
from orders.domain.payment import GatewayOutcome, OutcomeKind
from orders.domain.statuses import PaymentMethod
from orders.domain.steps import PaymentDeclined, ShippingRefused
from tests.harness import mishaps
from tests.harness.orders import CUP, HOME
from tests.harness.world import World
from tests.providers.cases import CARRIERS, PAYMENTS, CarrierCase, PaymentCase, gateway_of

PRICE = Money(1000, "USD")
KEY = "key-1"


Paying = tuple[PaymentGateway, PaymentCase]


def intent(token: str | None, *, reference: str | None, capture: bool = True) -> Intent:
    """What a provider is told of a payment of 10.00 USD."""
    return Intent(
        key=KEY,
        order_id=OrderId("order-1"),
        customer_id=CustomerId("ada"),
        amount=PRICE,
        method=PaymentMethod.CREDIT_CARD,
        capture=capture,
        reference=reference,
        token=token,
    )


def opened(gateway: PaymentGateway, token: str, *, capture: bool = True) -> Intent:
    """A payment that the provider knows, unconfirmed."""
    asked = intent(token, reference=None, capture=capture)
    return replace(asked, reference=gateway.open(asked))


def sums(outcome: GatewayOutcome) -> tuple[OutcomeKind, int, int]:
    return outcome.kind, outcome.captured, outcome.refunded


def came_to(call: Callable[[], GatewayOutcome]) -> OutcomeKind | type[GatewayUnavailable]:
    """The kind of a call's outcome, or that it ends with the one fault that a provider may have."""
    try:
        return call().kind
    except GatewayUnavailable:
        return GatewayUnavailable


def token_of(token: str | None, outcome: str) -> str:
    """A token of the test mode; skips the test of a provider that has no such payments."""
    return token or pytest.skip(f"of this provider no payment {outcome}")


@pytest.fixture(params=sorted(PAYMENTS))
def payment(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paying]:
    case: PaymentCase = PAYMENTS[request.param]
    with case.prepare(monkeypatch):
        yield gateway_of(request.param), case


def test_opening_a_payment_takes_no_money(payment: Paying) -> None:
    gateway, case = payment
    first, second = (gateway.open(intent(case.accepted, reference=None)) for _ in range(2))
    assert first == second
    assert gateway.look_up(intent(case.accepted, reference=first)).kind is OutcomeKind.UNKNOWN


def test_a_charge_may_be_repeated(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    assert [sums(gateway.authorize(asked)) for _ in range(2)] == [(OutcomeKind.SETTLED, 1000, 0)] * 2
    assert sums(gateway.look_up(replace(asked, token=None))) == (OutcomeKind.SETTLED, 1000, 0)


def test_a_declined_charge_stays_declined(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.declined)
    for outcome in (gateway.authorize(asked), gateway.authorize(asked), gateway.look_up(asked)):
        assert sums(outcome) == (OutcomeKind.DECLINED, 0, 0)
        assert outcome.reason
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 0, 0)


def test_what_is_voided_is_never_charged(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    assert [sums(gateway.void(asked)) for _ in range(2)] == [(OutcomeKind.SETTLED, 0, 0)] * 2
    assert sums(gateway.authorize(asked)) == (OutcomeKind.DECLINED, 0, 0)
    assert sums(gateway.look_up(asked)) == (OutcomeKind.DECLINED, 0, 0)


def test_voiding_says_what_there_is_to_refund(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    gateway.authorize(asked)
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 1000, 0)
    for _ in range(2):
        assert sums(gateway.refund(asked, "refund-1", 1000)) == (OutcomeKind.SETTLED, 1000, 1000)
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 1000, 1000)
    assert sums(gateway.look_up(asked)) == (OutcomeKind.SETTLED, 1000, 1000)


def test_refunds_never_come_to_more_than_was_captured(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    assert gateway.refund(asked, "too early", 1).kind is OutcomeKind.DECLINED
    gateway.authorize(asked)
    for _ in range(2):
        assert sums(gateway.refund(asked, "refund-1", 600)) == (OutcomeKind.SETTLED, 1000, 600)
    assert gateway.refund(asked, "refund-2", 600).kind is OutcomeKind.DECLINED
    assert sums(gateway.refund(asked, "refund-3", 400)) == (OutcomeKind.SETTLED, 1000, 1000)
    assert sums(gateway.refund(asked, "refund-1", 600)) == (OutcomeKind.SETTLED, 1000, 1000)
    assert gateway.refund(asked, "refund-4", 1).kind is OutcomeKind.DECLINED


def test_money_that_is_held_is_captured_in_parts(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted, capture=False)
    assert sums(gateway.authorize(asked)) == (OutcomeKind.SETTLED, 0, 0)
    shares = [200, 300, 500][: case.captures]
    for number, share in enumerate(shares):
        for _ in range(2):
            outcome = gateway.capture(asked, f"capture-{number}", share)
            assert sums(outcome) == (OutcomeKind.SETTLED, sum(shares[: number + 1]), 0)
    assert gateway.capture(asked, "one more", 1).kind is OutcomeKind.DECLINED
    assert sums(gateway.look_up(asked)) == (OutcomeKind.SETTLED, sum(shares), 0)


def test_what_is_held_and_not_captured_is_released(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted, capture=False)
    gateway.authorize(asked)
    assert sums(gateway.capture(asked, "capture-1", 300)) == (OutcomeKind.SETTLED, 300, 0)
    assert [sums(gateway.void(asked)) for _ in range(2)] == [(OutcomeKind.SETTLED, 300, 0)] * 2
    assert gateway.capture(asked, "capture-2", 1).kind is OutcomeKind.DECLINED
    after = gateway.look_up(asked)
    assert (sums(after), after.expires_at) == ((OutcomeKind.SETTLED, 300, 0), None)
    assert sums(gateway.refund(asked, "refund-1", 300)) == (OutcomeKind.SETTLED, 300, 300)


def test_a_hold_of_which_nothing_was_captured_is_declined_once_it_is_voided(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted, capture=False)
    gateway.authorize(asked)
    assert gateway.look_up(asked).expires_at
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 0, 0)
    after = gateway.look_up(asked)
    assert (sums(after), after.expires_at) == ((OutcomeKind.DECLINED, 0, 0), None)


def test_nothing_is_captured_of_what_is_held_no_longer(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, token_of(case.hold_expires, "loses its hold"), capture=False)
    assert gateway.authorize(asked).kind is OutcomeKind.SETTLED
    for _ in range(2):
        outcome = gateway.capture(asked, "capture-1", 300)
        assert outcome.kind is OutcomeKind.DECLINED
        assert outcome.reason
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 0, 0)


def test_a_hold_says_when_it_ends_and_is_renewed_where_the_provider_can(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted, capture=False)
    ends = gateway.authorize(asked).expires_at
    assert ends
    renewed = gateway.renew(asked)
    assert renewed.kind is OutcomeKind.DECLINED or (renewed.expires_at and renewed.expires_at >= ends)
    gateway.void(asked)
    assert gateway.renew(asked).kind is OutcomeKind.DECLINED


def test_a_payment_that_the_customer_has_to_confirm_takes_nothing_and_says_where(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, token_of(case.requires_action, "asks its customer for anything"))
    for outcome in (gateway.authorize(asked), gateway.authorize(asked), gateway.look_up(replace(asked, token=None))):
        assert sums(outcome) == (OutcomeKind.ACTION_REQUIRED, 0, 0)
        assert outcome.next_action
        assert outcome.next_action.url
    assert sums(gateway.void(asked)) == (OutcomeKind.SETTLED, 0, 0)
    assert gateway.look_up(asked).kind is OutcomeKind.DECLINED


def test_a_payment_that_is_settled_later_is_found_by_looking_it_up(payment: Paying) -> None:
    gateway, case = payment
    asked = opened(gateway, token_of(case.settles_later, "is decided later"))
    assert sums(gateway.authorize(asked)) == (OutcomeKind.PENDING, 0, 0)
    assert sums(gateway.look_up(replace(asked, token=None))) == (OutcomeKind.SETTLED, 1000, 0)


def test_a_token_that_a_provider_does_not_have_skips_its_test_with_a_reason() -> None:
    assert token_of("tok_async", "is decided later") == "tok_async"
    with pytest.raises(pytest.skip.Exception, match="of this provider no payment is decided later"):
        token_of(None, "is decided later")


# --- what goes wrong on the way, at providers whose calls can be led to another address ---

ELSEWHERE = sorted(name for name, case in PAYMENTS.items() if case.lead_to)


def calls_of(gateway: PaymentGateway, asked: Intent) -> dict[str, Callable[[], GatewayOutcome]]:
    """The calls that may have moved money."""
    return {
        "authorize": lambda: gateway.authorize(asked),
        "capture": lambda: gateway.capture(asked, "capture-1", 300),
        "void": lambda: gateway.void(asked),
        "refund": lambda: gateway.refund(asked, "refund-1", 300),
    }


@pytest.mark.parametrize("payment", ELSEWHERE, indirect=True)
@pytest.mark.parametrize("mishap", mishaps.DECIDES_NOTHING)
def test_an_answer_that_decides_nothing_is_a_fault_or_unknown(
    payment: Paying, mishap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    with monkeypatch.context() as patch, mishaps.served(mishap) as url:
        assert case.lead_to
        case.lead_to(patch, url)
        for find in (gateway.open, gateway.look_up):
            with pytest.raises(GatewayUnavailable):
                find(asked)
        came = {name: came_to(call) for name, call in calls_of(gateway, asked).items()}
    assert set(came.values()) <= {GatewayUnavailable, OutcomeKind.UNKNOWN}, came
    assert gateway.look_up(asked).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("payment", ELSEWHERE, indirect=True)
def test_a_refusal_without_words_is_a_decline_or_a_fault(payment: Paying, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, case = payment
    asked = opened(gateway, case.accepted)
    with monkeypatch.context() as patch, mishaps.served(mishaps.REFUSAL) as url:
        assert case.lead_to
        case.lead_to(patch, url)
        with pytest.raises((GatewayUnavailable, PaymentDeclined)):
            gateway.open(asked)
        with pytest.raises(GatewayUnavailable):
            gateway.look_up(asked)
        came = {name: came_to(call) for name, call in calls_of(gateway, asked).items()}
    undecided = {GatewayUnavailable, OutcomeKind.UNKNOWN, OutcomeKind.PENDING}
    assert came.pop("void") in undecided, "nobody has said that nothing more is taken"
    assert set(came.values()) <= {*undecided, OutcomeKind.DECLINED}, came


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
