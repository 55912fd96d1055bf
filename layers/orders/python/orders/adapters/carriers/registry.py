"""The carriers by their names: the module ``easypost`` of this package is the carrier ``easypost``."""

from importlib import import_module

from orders import settings
from orders.adapters.carriers.protocol import Carrier


def parcel_carrier(name: str | None = None) -> Carrier:
    """A carrier: the one that this deployment ships with, unless another is named."""
    # Imported by its name, so that a function loads the one carrier that it calls.
    module = import_module(f"orders.adapters.carriers.{name or settings.carrier_provider()}")
    carrier: Carrier = module.CARRIER
    return carrier
