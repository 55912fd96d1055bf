"""What the table of routes says of each: who may use it, what it takes, what it returns and refuses."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus


class Who(StrEnum):
    """Who may use a route (``docs/behavior.md#callers``)."""

    ANYONE = "anyone"
    CUSTOMER = "customer"
    OWNER = "owner"
    SUPPORT = "support"
    ADMIN = "admin"
    CARRIER = "carrier"
    WAREHOUSE = "warehouse"
    SHOP = "shop"
    TRACKING_LINK = "tracking link"
    SIGNED = "signed by the sender"


GROUPS = (Who.SUPPORT, Who.ADMIN, Who.CARRIER, Who.WAREHOUSE)
"""The groups a token may name; every other person who is signed in is a customer. A shop is a machine, told by its scope."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``body`` and ``answer`` name schemas; ``query`` names parameters of ``openapi.PARAMETERS``."""

    key: str
    who: frozenset[Who]
    operation: str
    summary: str
    function: str
    body: str | None = None
    query: tuple[str, ...] = ()
    answer: str | None = None
    status: HTTPStatus = HTTPStatus.OK
    refusals: tuple[str, ...] = ()
    is_page: bool = False
    """Whether it is for people only: the API's description leaves it out."""

    @property
    def ignores_unknown_parameters(self) -> bool:
        """Whether it is read by people, whose links gain parameters on the way (``utm_source``)."""
        return self.is_page or self.answer == "text/html"

    @property
    def is_verified_by_gateway(self) -> bool:
        """Whether API Gateway verifies the caller's token, and refuses in its own words who has none."""
        return not self.who & {Who.ANYONE, Who.SIGNED, Who.TRACKING_LINK}

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.key.split(" ")[0]

    @property
    def path(self) -> str:
        """The path, its parameters in braces."""
        return self.key.split(" ")[1]


STAFF = frozenset({Who.SUPPORT, Who.ADMIN})
"""The groups that act for the shop. A caller that may write a resource may read it."""

SHOP = frozenset({Who.SHOP})
"""A merchant's own system, which acts for any customer."""

PLACER = STAFF | SHOP | {Who.CUSTOMER}
OWNER = STAFF | {Who.OWNER}
FOR_OWNER = OWNER | SHOP
WATCHER = FOR_OWNER | {Who.TRACKING_LINK}
FIELD = STAFF | {Who.CARRIER}
DOCK = STAFF | {Who.WAREHOUSE}
KEEPER = SHOP | {Who.ADMIN}
ANYONE = frozenset({Who.ANYONE})

CHANGE = ("NotFound", "ConstraintViolated", "VersionMismatch")
CHANGE_ONCE = (*CHANGE, "IdempotencyMismatch")
"""Of a route that moves money or goods, or makes something: it takes an ``Idempotency-Key``."""
STOCK = ("NotFound", "ConstraintViolated", "IdempotencyMismatch")
