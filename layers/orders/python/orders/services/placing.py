"""Placing an order: priced from the catalog or by a shop, once for each idempotency key."""

import os
from collections.abc import Sequence
from dataclasses import replace

from orders import settings
from orders.adapters.payments.registry import minimum
from orders.adapters.store import catalog, orders
from orders.domain import pricing
from orders.domain.actors import Actor
from orders.domain.address import NO_ADDRESS
from orders.domain.decisions import placing
from orders.domain.digests import IdempotencyRecord, RequestDigest
from orders.domain.errors import AlreadyExists, IdempotencyMismatch, InvalidArgument
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.lines import Line, RequestedLine
from orders.domain.money import Money
from orders.domain.order import Change, OrderRequest, Snapshot, details
from orders.domain.products import Product
from orders.domain.statuses import PaymentMethod
from orders.services.changes import Clock, utc_now, with_retries


def place_order(
    request: OrderRequest, actor: Actor, key: str | None = None, digest: RequestDigest | None = None, clock: Clock = utc_now
) -> tuple[Snapshot, bool]:
    """Places an order and returns it with whether it is new; the same key and body always lead to the same order.

    Raises:
        InvalidArgument: a product that is not in the catalog, or a total that the payment provider does not take.
        AlreadyExists: the order id is taken.
        IdempotencyMismatch: the key was used with another body.
    """
    try:
        lines = _priced(request.lines)
        _check_minimum(request, lines)
        _check_delivery(request, lines)
    except InvalidArgument:
        # The catalog, or the provider, may have changed since the key was used: the key's order counts.
        kept = orders.idempotency_record(request.customer_id, key) if key else None
        if kept is None:
            raise
        return _as_recorded(kept, digest), False
    now = clock()
    order_id = request.order_id or OrderId(uuid7(now, os.urandom(10)))
    asked = placing.PricedRequest(**details(request), order_id=order_id, lines=lines, needs_review=request.require_approval)
    judged = replace(asked, is_of_high_value=_is_of_high_value(asked.total))
    change = placing.place(judged, settings.waits(), now, actor.by)
    record = IdempotencyRecord(request.customer_id, key, digest, order_id) if key and digest else None
    return _commit_new(change, record)


def _is_of_high_value(total: Money) -> bool:
    """Whether the total has reached its currency's threshold; a currency without one has no totals that do."""
    threshold = settings.review_thresholds().get(total.currency)
    return threshold is not None and total.amount >= threshold


def _check_minimum(request: OrderRequest, lines: Sequence[Line]) -> None:
    total = pricing.totals(lines, request.shipping_charge, request.discounts).total
    if request.method is PaymentMethod.CASH_ON_DELIVERY or total.amount == 0:
        return
    least = minimum(settings.payment_provider(), total.currency)
    if total.amount < least.amount:
        raise InvalidArgument.of("items", f"come to {total}, and {least} is the least that can be paid.")


def _check_delivery(request: OrderRequest, lines: Sequence[Line]) -> None:
    """What is sent needs an address, and cash somebody who brings the goods."""
    is_sent = any(line.requires_shipping for line in lines)
    if is_sent and request.shipping_address == NO_ADDRESS:
        raise InvalidArgument.of("shipping_address", "is missing: not all of the products are digital")
    if not is_sent and request.method is PaymentMethod.CASH_ON_DELIVERY:
        raise InvalidArgument.of("payment.method", "cannot be cash on delivery: nothing is delivered to a door")


def _priced(requested: Sequence[RequestedLine]) -> tuple[Line, ...]:
    """The order's lines with the catalog's names, and its prices where the request names none."""
    found = catalog.products(dict.fromkeys(line.product_id for line in requested))
    for position, line in enumerate(requested):
        if line.product_id not in found:
            raise InvalidArgument.of(f"items.{position}.product_id", f"There is no product {line.product_id}.")
    lines = tuple(_with_price(line, found[line.product_id]) for line in requested)
    if len({line.unit_price.currency for line in lines}) > 1:
        raise InvalidArgument.of("items", "All products of an order must be priced in one currency.")
    return lines


def _with_price(line: RequestedLine, product: Product) -> Line:
    price = line.unit_price or product.unit_price
    shipped = product.requires_shipping
    return Line(line.product_id, product.name, line.quantity, price, line.discount, line.tax, requires_shipping=shipped)


def _as_recorded(kept: IdempotencyRecord, digest: RequestDigest | None) -> Snapshot:
    if digest is None or not kept.digest.is_of_same_request(digest):
        raise IdempotencyMismatch("This Idempotency-Key was used with another request before.")
    return orders.load(kept.order_id, to_show=True)


def _commit_new(change: Change, record: IdempotencyRecord | None) -> tuple[Snapshot, bool]:
    """Commits a new order under its idempotency key; a request that loses the race for the key returns the winner's order."""
    try:
        with_retries(lambda: orders.commit(change, record))
    except AlreadyExists:
        kept = record and orders.idempotency_record(record.customer_id, record.key)
        if not record or not kept:
            raise
        return _as_recorded(kept, record.digest), False
    return Snapshot(change.order), True
