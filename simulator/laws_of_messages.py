"""The laws of what is told to others: events, counters, notices, webhooks, and the dead letters of them all.

As in ``laws``: one function each, which yields a sentence for each breach.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from orders.domain import analytics
from orders.domain.events import ORDER_STATUS_CHANGED
from simulator import two_releases
from simulator.books import Books


def events(books: Books) -> Iterator[str]:
    """Each notification of each trail is published at least once, the same each time, and no other is."""
    heard = [detail for source, detail in books.world.bus.taken if source == "orders"]
    for detail in heard:
        if not two_releases.is_as_told(books, detail, books.messages.get(detail["event_id"])):
            yield f"published, and on no trail: {detail['order_id']} version {detail['version']} {detail['event_type']}"
    for event_id in books.messages.keys() - {detail["event_id"] for detail in heard}:
        detail = books.messages[event_id]
        if two_releases.may_be_untold(books, detail):
            continue
        yield f"never published: {detail['order_id']} version {detail['version']} {detail['event_type']}"


def counters(books: Books) -> Iterator[str]:
    """The counters are the sum of what the trails say, each event counted once; the days' likewise."""
    sums: Counter[str] = Counter()
    of_days: Counter[str] = Counter()
    for detail in books.messages.values():
        if one := analytics.counted_event(detail):
            sums.update({name: int(value) for name, value in one.counters.items()})
            of_days.update({name: int(value) for name, value in one.of_day.items()})
    exact = two_releases.counted_by_edition_one(books) if two_releases.are_both_counting(books) else None
    yield from _differences("counter", sums, books.counters, exact)
    yield from _differences("day's counter", of_days, books.days, exact and set())


def _differences(kind: str, expected: Counter[str], found: Counter[str], exact: set[str] | None) -> Iterator[str]:
    """``exact`` are the names that both releases count, where one of them counts less."""
    for name in sorted(expected.keys() | found.keys()):
        is_less = exact is not None and name not in exact and found[name] < expected[name]
        if expected[name] != found[name] and not is_less:
            yield f"the {kind} {name} is {found[name]}, the trails make {expected[name]}"


def notices(books: Books) -> Iterator[str]:
    """Customers are told of each change of status, and of nothing else."""
    wanted = {key for key, detail in books.messages.items() if detail["event_type"] == ORDER_STATUS_CHANGED}
    sent = {notice["event_id"]: notice for notice in books.world.bus.notices}
    for event_id in wanted - sent.keys():
        yield f"no notice: {books.messages[event_id]['order_id']} {books.messages[event_id]['new_status']}"
    for event_id, notice in sent.items():
        detail = books.messages.get(event_id)
        if detail is None or (notice["customer_id"], notice["status"]) != (detail["customer_id"], detail["new_status"]):
            yield f"a notice of what was not: {notice}"


def webhooks(books: Books) -> Iterator[str]:
    """Each subscriber is sent each event it wants, signed, and its deliveries say so."""
    endpoints, wanted = books.world.endpoints, books.world.wanted_by()
    for delivery in endpoints.forged:
        yield f"delivery {delivery} has no signature of ours"
    for webhook_id, kinds in wanted.items():
        for event_id, detail in books.messages.items():
            if not kinds or detail["event_type"] in kinds:
                yield from _errors_of_delivery(books, webhook_id, event_id)
    for webhook_id, event_id in endpoints.taken:
        if event_id not in books.messages:
            yield f"{webhook_id} was sent {event_id}, which is on no trail"


def _errors_of_delivery(books: Books, webhook_id: str, event_id: str) -> Iterator[str]:
    detail = books.messages[event_id]
    sent, row = books.world.endpoints.taken.get((webhook_id, event_id)), books.deliveries.get((webhook_id, event_id))
    if sent and sent["data"] == detail and row and row["status"]["S"] == "SUCCEEDED":
        return
    if sent is None and two_releases.may_be_untold(books, detail):
        return
    what = f"{webhook_id}: {detail['order_id']} version {detail['version']} {detail['event_type']}"
    if sent is None:
        yield f"{what} was never sent; its delivery is {row and row['status']['S']}"
    elif not two_releases.is_as_told(books, sent["data"], detail):
        yield f"{what} was sent as {json.dumps(sent)}"
    elif row is None or row["status"]["S"] != "SUCCEEDED":
        yield f"{what} was sent, and its delivery is {row and row['status']['S']}"


def dead_letters(books: Books) -> Iterator[str]:
    """With everything in order again, no dead letter fails once more, and none is left."""
    for letter in books.world.operator.hopeless:
        detail = json.loads(letter.body).get("detail", {})
        if detail.get("order_id") in books.accounts or letter.source not in ("FulfillmentEvents", "PaymentEvents"):
            yield f"a dead letter of {letter.source or 'a stream'} cannot be redriven: {letter.body[:300]}"
    if books.world.operator.has_letters():
        yield "dead letters are left"
