"""How the commands print an order: for people, with colors where there is a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orders.domain.money import Money
from orders.domain.statuses import OrderStatus

Document = Mapping[str, Any]

_COLORS = {
    OrderStatus.DELIVERED.value: "32",
    OrderStatus.CANCELLED.value: "31",
    OrderStatus.RETURNED.value: "31",
    OrderStatus.SHIPPED.value: "36",
    OrderStatus.PROCESSING.value: "34",
    "dim": "2",
    "bold": "1",
    "red": "31",
}


def paint(text: str, color: str) -> str:
    """The text in a color, or in that of a status, where a terminal shows it and ``NO_COLOR`` does not forbid it."""
    code = _COLORS.get(color)
    return f"\x1b[{code}m{text}\x1b[0m" if code and sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def words(name: str) -> str:
    """A name of the API as a person writes it: ``PAYMENT_STARTED`` is ``Payment started``."""
    return name.replace("_", " ").capitalize()


def money(amount: Document) -> str:
    """An amount with its currency, in as many digits as that has."""
    return str(Money(amount["amount"], amount["currency"]))


def print_json(document: Any) -> None:
    """For scripts."""
    print(json.dumps(document, indent=2))


def print_order(title: str, found: Document, history: Iterable[Document] = (), links: Sequence[tuple[str, str]] = ()) -> None:
    """An order with its trail, payment, parcels, refunds and returns, and links to its pages."""
    order = found["order"]
    print(f"{title}{paint(order['status'], order['status'])}".rstrip())
    for event in history:
        print(f"   {event_line(event)}")
    for label, value in [*_parts(found), *links]:
        print(f"   {label:<9} {value}")


def event_line(event: Document) -> str:
    """One entry of the trail."""
    reason = paint(f"  {event['reason']}", "dim") if event.get("reason") else ""
    line = f"{event['version']:>3}  {event['timestamp']}  {event['status']:<10}  {words(event['event_type']):<20}"
    return f"{line}  {event['triggered_by']}{reason}"


def _parts(found: Document) -> Iterable[tuple[str, str]]:
    order = found["order"]
    for line in order["items"]:
        price = money(line["unit_price"])
        yield "Item", f"{line['line_id']}  {line['quantity']} x {line['name']}  {price}  {line['product_id']}"
    yield "Total", money(order["total"])
    yield "Payment", _payment(found["payment"])
    for shipment in _shipments(found):
        yield "Shipment", _shipment(shipment)
    for refund in found.get("refunds") or ():
        yield "Refund", f"{refund['refund_id']}  {money(refund['amount'])}  {refund['status']}"
    for returned in found.get("returns") or ():
        yield "Return", f"{returned['return_id']}  {returned['status']}"
    if order["cancellation"]:
        yield "Cancelled", words(order["cancellation"]["reason"]).lower()


def _shipments(found: Document) -> Sequence[Document | None]:
    """The parcels; a single ``None`` where there are none."""
    return found.get("shipments") or [found["shipment"]]


def _payment(payment: Document | None) -> str:
    if payment is None:
        return "none"
    reason = f" ({payment['failure_reason']})" if payment.get("failure_reason") else ""
    action = (payment.get("next_action") or {}).get("url")
    waits = f"  to be confirmed at {action}" if action else ""
    return f"{payment['payment_id']}  {money(payment['amount'])}  {payment['method']}  {payment['status']}{reason}{waits}"


def _shipment(shipment: Document | None) -> str:
    if shipment is None:
        return "none"
    number = shipment.get("tracking_number") or "no tracking number yet"
    return f"{shipment['shipment_id']}  {shipment['carrier']} {number}  {shipment['status']}"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], colors: Sequence[str] = ()) -> None:
    """Rows below their heads; a color for each row is that of its status."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    print(paint("  ".join(head.ljust(width) for head, width in zip(heads, widths, strict=True)).rstrip(), "bold"))
    for place, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(paint(line, colors[place]) if colors else line)
