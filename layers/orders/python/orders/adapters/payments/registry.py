"""The payment providers by their names: the module ``stripe`` of this package is the provider ``stripe``."""

from importlib import import_module

from orders import settings
from orders.adapters.payments.protocol import PaymentGateway


def payment_gateway(provider: str | None = None) -> PaymentGateway:
    """The gateway of a provider: of the one that this deployment pays with, unless another is named."""
    # Imported by its name, so that a function loads the one provider that it calls.
    module = import_module(f"orders.adapters.payments.{provider or settings.payment_provider()}")
    gateway: PaymentGateway = module.GATEWAY
    return gateway
