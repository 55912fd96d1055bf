"""The payment providers by their names: the module ``stripe`` of this package is the provider ``stripe``."""

from collections.abc import Mapping
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


def brings_customers_back(provider: str) -> bool:
    """Whether the provider sends customers to a page of their bank's, and wants to know where they come back to."""
    return bool(getattr(_module(provider), "RETURNS", False))


def _module(provider: str) -> ModuleType:
    return import_module(f"orders.adapters.payments.{provider}")
