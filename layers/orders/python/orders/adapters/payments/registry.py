"""The payment providers by their names: the module ``stripe`` of this package is the provider ``stripe``."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from orders.adapters.payments.protocol import PaymentGateway
from orders.domain.money import Money


def payment_gateway(provider: str) -> PaymentGateway:
    """The gateway of a provider; a payment names its own, which need not be the one that this deployment pays with."""
    # Imported by its name, so that a function loads the one provider that it calls.
    gateway: PaymentGateway = _module(provider).GATEWAY
    return gateway


def minimum(provider: str, currency: str) -> Money:
    """The least that a provider takes in a currency; nothing where it takes any amount."""
    least: Mapping[str, int] = getattr(_module(provider), "MINIMUM", {})
    return Money(least.get(currency, 0), currency)


Owner = tuple[str, str | None]
"""An order's id, and that of its payment where it is known."""


def owner_of(provider: str, reference: str | None, charge: str | None) -> Owner | None:
    """Whose payment that is which the provider knows by these ids of its own; ``None`` if it is none of ours.

    Raises:
        GatewayUnavailable: to be tried again.
    """
    find: Callable[[str | None, str | None], Owner | None] | None = getattr(_module(provider), "owner_of", None)
    return find(reference, charge) if find else None


def brings_customers_back(provider: str) -> bool:
    """Whether the provider sends customers to a page of their bank's, and wants to know where they come back to."""
    return bool(getattr(_module(provider), "RETURNS", False))


def _module(provider: str) -> ModuleType:
    return import_module(f"orders.adapters.payments.{provider}")
