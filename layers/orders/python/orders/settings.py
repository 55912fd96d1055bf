"""What a deployment sets through the template: read from the environment when it is needed, named once."""

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from orders.domain import steps
from orders.domain.waits import LONGEST, Waits

TIMED, CARRIER = "timed", "carrier"
"""What ends the transit: a timer, or nothing but the carrier's own event."""
IMMEDIATE, ON_SHIPMENT = "immediate", "on_shipment"
"""When the money is taken: at once, or with each parcel."""
SIMULATED = "simulated"
"""The payment provider, and the carrier, that only play their parts."""
NO_CARRIER = "none"
"""Where no carrier is booked: each parcel brings its own tracking number."""
PRODUCTION = "prod"


def mail_sender() -> str:
    """Whom customers' mails are from; empty where none are sent."""
    return os.environ.get("MAIL_SENDER", "")


def mail_configuration_set() -> str:
    """SES's configuration set, which reports bounces and complaints."""
    return os.environ["MAIL_CONFIGURATION_SET"]


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose orders these are, as customers see it: each may be empty."""

    name: str
    logo_url: str
    contact: str
    """Where questions go: an e-mail address, or an https URL."""

    @property
    def contact_url(self) -> str:
        """The contact as a link's address."""
        return self.contact if self.contact.startswith("https://") or not self.contact else f"mailto:{self.contact}"


def shop() -> Shop:
    """The shop, for the pages and the mails."""
    return Shop(os.environ.get("SHOP_NAME", ""), os.environ.get("SHOP_LOGO_URL", ""), os.environ.get("SHOP_CONTACT", ""))


def table_name() -> str:
    """The table."""
    return os.environ["TABLE_NAME"]


def bus_name() -> str:
    """The event bus."""
    return os.environ["BUS_NAME"]


def fulfill_machine_arn() -> str:
    """The fulfillment state machine."""
    return os.environ["FULFILL_MACHINE_ARN"]


def unwind_machine_arn() -> str:
    """The unwinding state machine."""
    return os.environ["UNWIND_MACHINE_ARN"]


def machine_alias() -> str:
    """The alias through which executions are started, so that a release shifts gradually; empty where there is none."""
    return os.environ.get("MACHINE_ALIAS", "")


def signing_secret_arn() -> str:
    """The secret that signs tracking links and list cursors."""
    return os.environ["SIGNING_SECRET_ARN"]


def delivery_is_timed() -> bool:
    """Whether a parcel counts as delivered after the transit time, without the carrier's report."""
    return os.environ.get("DELIVERY_MODE", TIMED) == TIMED


@cache
def waits() -> Waits:
    """The workflow's waits in seconds. In carrier mode the transit lasts until the carrier reports; late is what is overdue."""
    by_timer = delivery_is_timed()
    names = {wait.name: wait.setting if by_timer else wait.for_carrier or wait.setting for wait in steps.WAITS}
    # Where nothing says so, no warehouse is waited for.
    given = {"WAREHOUSE_WAIT_SECONDS": "0", **os.environ}
    return Waits(**{name: float(given[setting]) for name, setting in names.items()}, arrival=0 if by_timer else LONGEST)


def warehouse_overdue() -> float:
    """How long a warehouse that prepares orders by itself may take, in seconds, before the order is overdue."""
    return float(os.environ.get("WAREHOUSE_OVERDUE_SECONDS", "172800"))


def review_thresholds() -> dict[str, int]:
    """From which total an order needs a manual review, in minor units of each currency that has a threshold."""
    listed = (entry.partition("=") for entry in os.environ.get("REVIEW_THRESHOLDS", "").split(",") if entry)
    return {"USD": int(os.environ["REVIEW_THRESHOLD"])} | {currency: int(amount) for currency, _, amount in listed}


def return_window() -> timedelta:
    """How long after the delivery of an order its customer may ask for a return."""
    return timedelta(days=int(os.environ.get("RETURN_WINDOW_DAYS", "30")))


def approves_returns() -> bool:
    """Whether a return that a customer asks for is approved at once."""
    return os.environ.get("AUTO_APPROVE_RETURNS", "false") == "true"


def sweep_rate() -> float:
    """How many orders a second the sweep looks at; each costs one DescribeExecution."""
    return float(os.environ["SWEEP_RATE"])


class NotInProduction(Exception):
    """A simulated party in production: nothing was paid, and nothing was sent."""


def payment_provider() -> str:
    """The payment provider: a module of ``adapters/payments``."""
    return _not_simulated(os.environ.get("PAYMENT_PROVIDER", SIMULATED))


def carrier_provider() -> str:
    """The carrier that parcels are handed to: a module of ``adapters/carriers``."""
    return _not_simulated(os.environ.get("CARRIER_PROVIDER", SIMULATED))


def providers() -> dict[str, str]:
    """Which payment provider and which carrier are in use, by their names."""
    names = {"payment_provider": "PAYMENT_PROVIDER", "carrier_provider": "CARRIER_PROVIDER"}
    return {name: os.environ.get(variable, SIMULATED) for name, variable in names.items()}


def _not_simulated(name: str) -> str:
    """The name, unless it is a simulated party in production, where that has not been allowed by name."""
    is_production = os.environ.get("DEPLOYMENT_STAGE", "") == PRODUCTION
    if name == SIMULATED and is_production and os.environ.get("ALLOW_SIMULATED", "false") != "true":
        raise NotInProduction("A simulated provider or carrier in production: set PaymentProvider and CarrierProvider.")
    return name


def payment_secrets_prefix() -> str:
    """What the names of the payment providers' secrets begin with."""
    return os.environ["PAYMENT_SECRETS_PREFIX"]


def stripe_api_base() -> str:
    """Where Stripe is reached; empty for Stripe itself."""
    return os.environ.get("STRIPE_API_BASE", "")


def pages_url() -> str:
    """Where people open this deployment's pages, without a path; empty where nobody has said so."""
    return os.environ.get("PAGES_URL", "")


def captures_on_shipment() -> bool:
    """Whether the money of an order is held at first, and captured with its parcels."""
    return os.environ.get("CAPTURE_MODE", IMMEDIATE) == ON_SHIPMENT


def simulated_gateway_seconds() -> float:
    """How long a call of the simulated gateway takes."""
    return float(os.environ.get("SIMULATED_GATEWAY_SECONDS", "0"))


def simulated_failure_rate() -> float:
    """The share of calls to simulated parties that fail at random; 0 but in chaos runs."""
    return float(os.environ.get("SIMULATED_FAILURE_RATE", "0"))


def jwt_issuer() -> str:
    """The trusted issuer of tokens."""
    return os.environ["JWT_ISSUER"]


def jwt_audience() -> str:
    """The audience of people's tokens."""
    return os.environ["JWT_AUDIENCE"]


def jwt_audiences() -> frozenset[str]:
    """The audiences that a token may have: people's, and shops' if it is another one."""
    return frozenset({jwt_audience(), os.environ.get("SHOP_AUDIENCE", "")} - {""})


def groups_claim() -> str:
    """The claim of a token that lists its bearer's groups."""
    return os.environ["GROUPS_CLAIM"]


def jwks_url() -> str:
    """Where the issuer publishes its keys."""
    return os.environ["JWKS_URL"]


def carrier_secrets_prefix() -> str:
    """What the names of the carriers' webhook secrets begin with."""
    return os.environ["CARRIER_SECRETS_PREFIX"]


def sign_in_url() -> str:
    """Where people sign in: an OAuth 2 server with Cognito's addresses below this one; empty where none is set up."""
    return os.environ.get("SIGN_IN_URL", "")


def webhook_deliveries_url() -> str:
    """The queue that holds webhook deliveries until they are due."""
    return os.environ["WEBHOOK_DELIVERIES_URL"]


def fulfillment_events_url() -> str:
    """The queue of what the warehouse and the carriers report."""
    return os.environ["FULFILLMENT_EVENTS_URL"]


def payment_events_url() -> str:
    """The queue of what is reported of payments."""
    return os.environ["PAYMENT_EVENTS_URL"]


def unhandled_events_url() -> str:
    """The dead-letter queue."""
    return os.environ["UNHANDLED_EVENTS_URL"]


def notices_topic_arn() -> str:
    """The topic that customers' notices go to."""
    return os.environ["NOTICES_TOPIC_ARN"]


def loopback_webhooks() -> bool:
    """Whether a webhook may go to this very machine, and by plain http: on a laptop, never in the cloud."""
    return os.environ.get("LOOPBACK_WEBHOOKS", "false") == "true"
