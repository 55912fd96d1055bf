"""Values of a later release in a row, unknown to this one: shown as they are, kept, and never decided on."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeVar, cast

from orders.domain.errors import NewerRow
from orders.domain.order import Snapshot

Name = TypeVar("Name", bound=StrEnum)


class Unknown(str):
    """A value that this release's enumerations do not have, in the place of one of their members."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Its text, as a member of an enumeration has it."""
        return str(self)


def named(kind: type[Name], text: str) -> Name:
    """The member of that value, or else the value itself as ``Unknown``: it equals no member, and prints as it is."""
    try:
        return kind(text)
    except ValueError:
        return cast(Name, Unknown(text))


def refuse(values: Iterable[str]) -> None:
    """Raises ``NewerRow`` if one of the values, on which something is to be decided, is unknown."""
    unknown = sorted({str(value) for value in values if type(value) is Unknown})
    if unknown:
        raise NewerRow(f"Written by a later release: {', '.join(unknown)}.")


def decided_on(snapshot: Snapshot) -> Iterator[str]:
    """Every value of an order that a decision may depend on."""
    order = snapshot.order
    yield from (order.status, order.overall, order.method)
    yield from (step.status for step in order.steps)
    yield order.on_shortage
    if order.approval:
        yield order.approval.status
    if order.cancellation:
        yield order.cancellation.reason
    if snapshot.payment:
        yield from (snapshot.payment.status, snapshot.payment.method)
        if snapshot.payment.dispute:
            yield snapshot.payment.dispute.status
        yield from (capture.status for capture in snapshot.payment.captures)
    yield from (shipment.status for shipment in snapshot.shipments)
    yield from (shipment.ended for shipment in snapshot.shipments if shipment.ended)
    yield from (one.status for one in snapshot.returns)
    yield from (refund.status for refund in snapshot.refunds)
