"""A customer's stored data in the shapes of the API, for an export."""

from orders.domain.identifiers import CustomerId
from orders.domain.order import timestamp
from orders.services import privacy
from orders.services.changes import Clock, utc_now
from orders.services.privacy import KeptOrder
from orders.web.mail_views import mail_view
from orders.web.shapes import View
from orders.web.views import Audience, history_view, snapshot_view


def export(customer_id: CustomerId, clock: Clock = utc_now) -> View:
    """Everything kept of a customer."""
    return {
        "customer_id": customer_id,
        "exported_at": timestamp(clock()),
        "orders": [_order_view(kept) for kept in privacy.collect(customer_id)],
    }


def _order_view(kept: KeptOrder) -> View:
    order_id = kept.snapshot.order.order_id
    return {
        **snapshot_view(kept.snapshot, Audience.STAFF),
        "history": history_view(order_id, kept.trail, Audience.STAFF)["history"],
        "carrier_reports": list(kept.carrier_reports),
        "mails": [mail_view(mail) for mail in kept.mails],
    }
