"""How the model reaches its order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.goods.seen import Found, Pieces

Condition = tuple[str, int, str]
"""Of which line how many pieces came back, and in which condition."""


@dataclass(frozen=True)
class Placed:
    """How the order is placed: ``there`` is how many pieces of each product are in stock."""

    method: str
    is_paid: bool
    shortage: str
    there: Mapping[str, int]


class Door(Protocol):
    """How the model reaches an order. What is refused raises ``Refused``; whatever follows has happened on return."""

    lets_time_pass: bool

    def place(self, placed: Placed) -> None:
        """An order of ``LINES``; one that is not paid waits to be."""

    def pay(self) -> None: ...

    def amend(self) -> None: ...

    def say_nothing(self) -> None:
        """Lets the time pass that the customer has for an answer; only where ``lets_time_pass``."""

    def hand_over(self, pieces: Pieces | None) -> None: ...

    def warehouse_says(self, fulfillment_id: str, status: str, pieces: Pieces) -> None: ...

    def carrier_says(self, tracking_number: str, status: str) -> None: ...

    def cancel(self, pieces: Pieces | None) -> None: ...

    def deliver(self, shipment_id: str | None) -> None: ...

    def bring_back(self, shipment_id: str) -> None: ...

    def refund(self, pieces: Pieces) -> None: ...

    def hand_out(self, refund_id: str) -> None:
        """The cash of a refund."""

    def ask_to_return(self, pieces: Pieces) -> None:
        """As a customer does, within the time for it."""

    def decide(self, return_id: str, decision: str) -> None:
        """Approves, declines or cancels a return."""

    def receive(self, return_id: str, pieces: Sequence[Condition], *, is_final: bool) -> None: ...

    def take_back(self) -> None:
        """All of a delivered order, by staff."""

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def found(self) -> Found: ...

    def close(self) -> None: ...
