"""What carriers report: verified, kept with its parcel, and passed on as a fulfillment event."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from orders import logs
from orders.adapters import bus, carrier_webhooks, secret_store
from orders.adapters.store import orders, scans
from orders.domain import goods
from orders.domain.events import CARRIERS_SOURCE, FULFILLMENT_STATUS_CHANGED
from orders.domain.fulfillment import detail_of
from orders.domain.identifiers import TrackingNumber, comparable
from orders.domain.order import Order, Snapshot
from orders.domain.parcels import Shipment
from orders.domain.reports import Report
from orders.domain.scans import is_foreign
from orders.services.changes import Clock, utc_now

logger = logs.logger()

SENDERS = tuple(carrier_webhooks.SENDERS)
"""Whose webhooks are understood, by their names."""


def receive(carrier: str, body: bytes, headers: Mapping[str, str], token: str | None, clock: Clock = utc_now) -> bool:
    """Verifies a request's bytes, keeps the scan and passes it on; an unknown parcel is not an error.

    Raises:
        Unauthenticated: the signature is missing, wrong or too old, and there is no valid ``token``.
        InvalidArgument: signed by the carrier, but not in its documented format.
    """
    report = carrier_webhooks.receive(carrier, body, headers, secret_store.carrier_secret(carrier), clock(), token)
    return report is not None and _pass_on(carrier, report, clock)


def _pass_on(carrier: str, report: Report, clock: Clock) -> bool:
    """Keeps the report, and passes it on to each order that it is about: most often one."""
    now, number = clock(), report.tracking_number
    found = [orders.load(order_id) for order_id in scans.orders_of_parcel(number)]
    about = _about(carrier, number, found)
    if found and not about:
        logger.warning("A sender reported another sender's parcel", sender=carrier, order_id=found[0].order.order_id)
        _count_foreign_report()
        return False
    if not found and scans.is_erased_parcel(number, now):
        return False
    for order, parcel in about:
        _publish(carrier, report.besides(parcel.scans), order, now)
    if not about:
        # An unknown parcel, or one whose hand-over is being written now: then a sync of its order finds this report.
        scans.keep_scan(number, report.event_id, report.scan.at, detail_of(carrier, None, report), now)
    return bool(about)


def _about(carrier: str, number: TrackingNumber, found: Sequence[Snapshot]) -> list[tuple[Order, Shipment]]:
    """The parcels under a number that are the sender's to report: those under way, or else the one that was handed over last.

    A carrier uses a number again once its parcel has arrived; two orders in one parcel have the same number.
    """
    parcels = [
        (snapshot, one)
        for snapshot in found
        for one in snapshot.shipments
        if one.tracking_number and comparable(one.tracking_number) == comparable(number) and not is_foreign(one, carrier)
    ]
    open_ones = [(snapshot.order, one) for snapshot, one in parcels if goods.end_of(snapshot.order, one) is None]
    ended = [(snapshot.order, one) for snapshot, one in parcels]
    ended.sort(key=lambda pair: goods.shipped_at(*pair) or pair[0].created_at)
    return open_ones or ended[-1:]


def _publish(carrier: str, report: Report, order: Order, now: datetime) -> None:
    erased = order.erased_at is not None
    detail = detail_of(carrier, order.order_id, report.without_words() if erased else report)
    if not erased:
        scans.keep_scan(report.tracking_number, report.event_id, report.scan.at, detail, now)
    bus.publish([(FULFILLMENT_STATUS_CHANGED, detail, now)], CARRIERS_SOURCE)


def _count_foreign_report() -> None:
    # Only then: loading it is a part of every cold start otherwise.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.FOREIGN_REPORTS, "Count", 1)
