"""What contract tests need to know of each payment provider and each carrier: one entry for each module of the product,
and one for the adapter that ``examples/`` shows.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.payments import till as example
from orders.adapters.payments.protocol import PaymentGateway
from orders.adapters.payments.registry import payment_gateway
from tests.harness import stripe_book
from tests.harness import till as made_up

ADAPTERS = Path(__file__).parents[2] / "layers/orders/python/orders/adapters"
SHARED = {"__init__", "protocol", "registry"}

Prepare = Callable[[pytest.MonkeyPatch], AbstractContextManager[object]]


@dataclass(frozen=True)
class PaymentCase:
    """Tokens of a provider's test mode, by what becomes of a charge; ``None`` for what never becomes of one there.

    ``captures`` is how often it can take of money that is held, ``prepare`` what has to be there before it is called,
    ``lead_to`` what leads its calls to another address, and ``gateway`` where it is found if it is no module of the product.
    """

    accepted: str
    declined: str
    requires_action: str | None
    settles_later: str | None
    hold_expires: str | None
    captures: int
    prepare: Prepare = lambda _: nullcontext()
    lead_to: Callable[[pytest.MonkeyPatch, str], None] | None = None
    gateway: Callable[[], PaymentGateway] | None = None


@dataclass(frozen=True)
class CarrierCase:
    """Postal codes of a carrier's test mode, by what becomes of a booking."""

    accepted: str
    refused: str


@contextmanager
def stripe(patch: pytest.MonkeyPatch) -> Iterator[stripe_book.StripeBook]:
    """A small Stripe that plays the shapes which the real one publishes, and the settings that lead to it."""
    with stripe_book.served() as book:
        patch.setenv("STRIPE_API_BASE", book.url)
        patch.setenv("STRIPE_SECRET_KEY", stripe_book.KEY)
        yield book


@contextmanager
def till(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """The provider of the example, and the settings that lead to it."""
    with made_up.served() as url:
        patch.setenv("TILL_URL", url)
        patch.setenv("TILL_KEY", made_up.KEY)
        yield url


PAYMENTS = {
    "simulated": PaymentCase(
        accepted="tok_ok",
        declined="tok_declined",
        requires_action="tok_requires_action",
        settles_later="tok_async",
        hold_expires="tok_hold_expires",
        captures=3,
    ),
    "stripe": PaymentCase(
        accepted=stripe_book.GOOD,
        declined=stripe_book.DECLINED,
        requires_action=stripe_book.ASKS,
        settles_later=stripe_book.LATER,
        hold_expires=stripe_book.ENDS,
        captures=1,
        prepare=stripe,
        lead_to=lambda patch, url: patch.setenv("STRIPE_API_BASE", url),
    ),
    "till": PaymentCase(
        accepted="card-ok",
        declined="card-refused",
        requires_action="card-asks",
        settles_later="card-later",
        hold_expires="card-ends",
        captures=3,
        prepare=till,
        lead_to=lambda patch, url: patch.setenv("TILL_URL", url),
        gateway=lambda: example.GATEWAY,
    ),
}
CARRIERS = {"simulated": CarrierCase(accepted="SW1Y 4JH", refused="SW1Y-refused")}


def gateway_of(name: str) -> PaymentGateway:
    """The gateway that a case is about."""
    given = PAYMENTS[name].gateway
    return given() if given else payment_gateway(name)


def modules(package: str, adapters: Path = ADAPTERS) -> set[str]:
    """The providers that a package of the adapters has, by name."""
    return {path.stem for path in (adapters / package).glob("*.py")} - SHARED
