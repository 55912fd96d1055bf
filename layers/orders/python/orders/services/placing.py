"""Placing an order: priced from the catalog, once for each idempotency key."""

import os
from collections.abc import Mapping

from orders import settings
from orders.adapters.store import catalog, orders
from orders.domain.actors import Actor
from orders.domain.decisions import placing
from orders.domain.digests import IdempotencyRecord, RequestDigest
from orders.domain.errors import AlreadyExists, IdempotencyMismatch, InvalidArgument
from orders.domain.identifiers import OrderId, uuid7
from orders.domain.order import Change, Line, OrderRequest, Snapshot, details
from orders.services.changes import Clock, utc_now, with_retries


def place_order(
    request: OrderRequest, actor: Actor, key: str | None = None, digest: RequestDigest | None = None, clock: Clock = utc_now
) -> tuple[Snapshot, bool]:
    """Places an order and returns it with whether it is new; the same key and body always lead to the same order.

    Raises:
        InvalidArgument: a product that is not in the catalog.
        AlreadyExists: the order id is taken.
        IdempotencyMismatch: the key was used with another body.
    """
    try:
        lines = _priced(request.quantities)
    except InvalidArgument:
        # The catalog may have changed since the key was used: the key's order counts.
        kept = orders.idempotency_record(request.customer_id, key) if key else None
        if kept is None:
            raise
        return _as_recorded(kept, digest), False
    now = clock()
    order_id = request.order_id or OrderId(uuid7(now, os.urandom(10)))
    total = sum(line.unit_price.amount * line.quantity for line in lines)
    needs_review = request.require_approval or total >= settings.review_threshold()
    priced = placing.PricedRequest(**details(request), order_id=order_id, lines=lines, needs_review=needs_review)
    change = placing.place(priced, settings.waits(), now, actor.by)
    record = IdempotencyRecord(request.customer_id, key, digest, order_id) if key and digest else None
    return _commit_new(change, record)


def _priced(quantities: Mapping[str, int]) -> tuple[Line, ...]:
    """The order's lines at the catalog's names and prices."""
    found = catalog.products(quantities)
    unknown = [product_id for product_id in quantities if product_id not in found]
    if unknown:
        position = list(quantities).index(unknown[0])
        raise InvalidArgument.of(f"items.{position}.product_id", f"There is no product {unknown[0]}.")
    currencies = {product.unit_price.currency for product in found.values()}
    if len(currencies) > 1:
        raise InvalidArgument.of("items", "All products of an order must be priced in one currency.")
    return tuple(
        Line(product_id, found[product_id].name, quantity, found[product_id].unit_price)
        for product_id, quantity in quantities.items()
    )


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
