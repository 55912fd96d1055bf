"""The payment providers by their names: the module ``stripe`` of this package is the provider ``stripe``."""

from importlib import import_module

from orders.adapters.payments.protocol import PaymentGateway


def payment_gateway(provider: str) -> PaymentGateway:
    """The gateway of a provider; a payment names its own, which need not be the one that this deployment pays with."""
    # Imported by its name, so that a function loads the one provider that it calls.
    module = import_module(f"orders.adapters.payments.{provider}")
    gateway: PaymentGateway = module.GATEWAY
    return gateway
