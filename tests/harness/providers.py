"""What the tests of payment providers and carriers need to know of each: one entry for each module of the product."""

from dataclasses import dataclass
from pathlib import Path

ADAPTERS = Path(__file__).parents[2] / "layers/orders/python/orders/adapters"
SHARED = {"__init__", "protocol", "registry"}


@dataclass(frozen=True)
class PaymentCase:
    """Tokens of a provider's test mode, by what becomes of a charge; ``captures`` is how often it can take of held money."""

    accepted: str
    declined: str
    requires_action: str
    settles_later: str
    hold_expires: str
    captures: int


@dataclass(frozen=True)
class CarrierCase:
    """Postal codes of a carrier's test mode, by what becomes of a booking."""

    accepted: str
    refused: str


PAYMENTS = {
    "simulated": PaymentCase(
        accepted="tok_ok",
        declined="tok_declined",
        requires_action="tok_requires_action",
        settles_later="tok_async",
        hold_expires="tok_hold_expires",
        captures=3,
    )
}
CARRIERS = {"simulated": CarrierCase(accepted="SW1Y 4JH", refused="SW1Y-refused")}


def modules(package: str, adapters: Path = ADAPTERS) -> set[str]:
    """The providers that a package of the adapters has, by name."""
    return {path.stem for path in (adapters / package).glob("*.py")} - SHARED
