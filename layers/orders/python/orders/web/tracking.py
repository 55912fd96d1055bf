"""What the bearer of a tracking link sees: the order as its page shows it, and nothing about who ordered or who decided."""

from datetime import datetime

from orders import settings
from orders.domain.order import Snapshot
from orders.domain.refund import Refund
from orders.domain.returns import Return
from orders.services import estimates
from orders.web.payment_views import refund_view
from orders.web.progress_views import progress_view
from orders.web.return_views import return_view
from orders.web.shapes import View
from orders.web.views import Audience, snapshot_view


def tracking_view(snapshot: Snapshot, now: datetime) -> View:
    """The order, its payment, its shipment and its progress in one.

    A link is passed on to the person who waits for the parcel: the customer's id, the names of those who decided and what they
    noted are internal.
    """
    whole = snapshot_view(snapshot, Audience.OWNER)
    order: View = whole["order"]
    shown = {name: order[name] for name in ("order_id", "status", "version", "items", "total", "shipping_address", "shortage")}
    times = {name: order[name] for name in ("created_at", "updated_at")}
    cancellation = order["cancellation"]
    public = {"cancellation": cancellation and {name: cancellation[name] for name in ("reason", "cancelled_at")}}
    return {
        "order": shown | times | public,
        "payment": whole["payment"],
        "shipment": whole["shipment"],
        "shipments": whole["shipments"],
        "refunds": [_refund(one) for one in snapshot.refunds],
        "returns": [_public(one) for one in snapshot.returns],
        "progress": progress_view(snapshot, estimates.history(now), settings.waits(), now, timed=settings.delivery_is_timed()),
    }


def _refund(one: Refund) -> View:
    """What is given back, without who asked for it and why."""
    shown: View = refund_view(one, is_staff=False, shows_reason=False)
    return {name: value for name, value in shown.items() if name != "requested_by"}


def _public(one: Return) -> View:
    """How a return stands, without who decided it and what was written with it."""
    shown: View = return_view(one, is_staff=False, is_concerned=False)
    return {name: value for name, value in shown.items() if name not in ("requested_by", "decided_by")}
