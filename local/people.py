"""The people of a stack on this machine: whom the sign-in page offers, and who the commands act as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """A person to sign in as; ``subject`` is the customer id of the orders they place."""

    subject: str
    name: str
    does: str
    groups: tuple[str, ...] = ()


CUSTOMER = Person("ada", "Ada", "A customer: places orders, follows and cancels them")
SUPPORT = Person("sam", "Sam", "Support: sees and changes every order, answers reviews", ("support",))
ADMIN = Person("alex", "Alex", "Admin: support, and keeps the catalog and the webhooks", ("support", "admin"))
CARRIER = Person("carl", "Carl", "A carrier: reports where parcels are", ("carrier",))
WAREHOUSE = Person("wim", "Wim", "The warehouse: hands parcels over, and reports which have come back", ("warehouse",))

PEOPLE = (
    CUSTOMER,
    Person("grace", "Grace", "Another customer, who must not see Ada's orders"),
    SUPPORT,
    ADMIN,
    CARRIER,
    WAREHOUSE,
)
