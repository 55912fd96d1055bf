"""``POST /carriers/{carrier}/events``: what carriers report becomes a fulfilment event on the bus."""

from orders import logs
from orders.adapters import carrier_webhooks, secrets
from orders.adapters.bus import publish
from orders.adapters.carrier_webhooks import SENDERS
from orders.adapters.store import orders, scans
from orders.domain import limits
from orders.domain.errors import NotFound
from orders.domain.events import CARRIERS_SOURCE, FULFILLMENT_STATUS_CHANGED
from orders.domain.reports import Report
from orders.domain.scans import is_foreign
from orders.services import inbound as fulfilment_events
from orders.services.changes import utc_now
from orders.web.http import Answer, Request, answer, serve

logger = logs.logger()


def receive_event(request: Request) -> Answer:
    """Verifies the request's bytes, keeps the scan and passes it on; a parcel we don't know is no fault."""
    carrier = request.path.get("carrier", "")
    if carrier not in SENDERS:
        raise NotFound("We work with no carrier of that name.")
    request.bounded(limits.LARGEST_CARRIER_BODY)
    secret, token = secrets.carrier_secret(carrier), request.query.get("token")
    report = carrier_webhooks.receive(carrier, request.body, request.headers, secret, utc_now(), token)
    accepted = report is not None and _pass_on(carrier, report)
    return answer({"accepted": accepted})


def _pass_on(carrier: str, report: Report) -> bool:
    now, order_id = utc_now(), scans.order_of_parcel(report.tracking_number)
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
    detail = fulfilment_events.detail_of(carrier, order_id, report.without_words() if erased else report)
    if not erased:
        scans.keep_scan(report.tracking_number, report.event_id, report.scan.at, detail, now)
    if order_id is None:
        # Nobody's parcel, or one whose hand-over is being written down this very moment: then its order's sync finds this.
        return False
    publish([(FULFILLMENT_STATUS_CHANGED, detail, now)], CARRIERS_SOURCE)
    return True


def _count_foreign_report() -> None:
    # Only then: loading it is a part of every cold start otherwise.
    from orders.metrics import Metric, measuring  # noqa: PLC0415

    with measuring() as measured:
        measured.add_metric(Metric.FOREIGN_REPORTS, "Count", 1)


handler = serve({"POST /carriers/{carrier}/events": receive_event})
