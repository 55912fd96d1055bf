"""What carriers report: verified, kept with its parcel, and passed on as a fulfillment event."""

from collections.abc import Mapping

from orders import logs
from orders.adapters import bus, carrier_webhooks, secret_store
from orders.adapters.store import orders, scans
from orders.domain.events import CARRIERS_SOURCE, FULFILLMENT_STATUS_CHANGED
from orders.domain.fulfillment import detail_of
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
    now, order_id = clock(), scans.order_of_parcel(report.tracking_number)
    found = orders.load(order_id) if order_id is not None else None
    if found and is_foreign(found.shipment, carrier):
        logger.warning("A sender reported another sender's parcel", sender=carrier, order_id=order_id)
        _count_foreign_report()
        return False
    if found is None and scans.is_erased_parcel(report.tracking_number, now):
        return False
    if found and found.shipment:
        report = report.besides(found.shipment.scans)
    erased = found is not None and found.order.erased_at is not None
    detail = detail_of(carrier, order_id, report.without_words() if erased else report)
    if not erased:
        scans.keep_scan(report.tracking_number, report.event_id, report.scan.at, detail, now)
    if order_id is None:
        # An unknown parcel, or one whose hand-over is being written now: then a sync of its order finds this report.
        return False
    bus.publish([(FULFILLMENT_STATUS_CHANGED, detail, now)], CARRIERS_SOURCE)
    return True


def _count_foreign_report() -> None:
    # Only then: loading it is a part of every cold start otherwise.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.FOREIGN_REPORTS, "Count", 1)
