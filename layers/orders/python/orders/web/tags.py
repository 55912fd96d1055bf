"""The groups that the API's description has: each route is in one, by its path."""

import re
from dataclasses import dataclass

from orders.web.routes import Route


@dataclass(frozen=True, slots=True)
class Tag:
    """A group, and the paths that belong to it if no group before takes them."""

    name: str
    words: str
    paths: str


_ORDER = r"/orders/\{id\}"
EVENTS_TAG = Tag("Events", "What a webhook gets. Signed, at least once, in any order: see `webhooks`.", r"(?!)")
TAGS = (
    Tag("Progress", "How far an order is: once, as a stream, as an audit trail.", rf"{_ORDER}/(status|history)(/|$)"),
    Tag("Parcels", "What carriers and the warehouse say of parcels.", rf"{_ORDER}/(shipment|shipments|delivered)(/|$)"),
    Tag("Money and returns", "Money back, and goods back.", rf"{_ORDER}/(return|returns|refunds|captures)(/|$)"),
    Tag(
        "Staff",
        "Reviews, holds, and repair by hand.",
        rf"{_ORDER}/(approve|reject|hold|release|sync|execution)(/|$)",
    ),
    Tag("Orders", "Placing, reading and changing orders.", r"/orders"),
    Tag("Products", "The catalog.", r"/products"),
    Tag("Webhooks", "Subscriptions to events, and what was sent to them.", r"/webhooks"),
    Tag("Reports", "What carriers and payment providers send.", r"/(carriers|payments|mail)"),
    Tag("Analytics", "Figures.", r"/analytics"),
    Tag("Service", "The service itself.", r"/"),
    EVENTS_TAG,
)


def tag_of(route: Route) -> str:
    """The name of the route's group."""
    # The status that staff set is a change of the order; the one that is read is its progress.
    if route.operation == "setStatus":
        return "Staff"
    return next(tag.name for tag in TAGS if re.match(tag.paths, route.path))
