"""The steps of an order: what each is called, what does it, what it waits for, what undoes it and what its failure means.

Each fact is defined here once. The progress, the unwinding, the workflow's waits, the pages' words and the tests of both state
machines read this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from orders.domain.errors import ConstraintViolated
from orders.domain.refund import is_arranged
from orders.domain.statuses import CANCELLABLE, TAKEN, VOIDABLE, OrderStatus, StepStatus

if TYPE_CHECKING:
    from orders.domain.order import Snapshot

TIMED_OUT = "States.Timeout"
"""The error name of a wait that has run out, as the workflow service has it."""


class StepName(StrEnum):
    """The steps of the saga, in the order in which they happen."""

    INVENTORY = "Inventory Reservation"
    REVIEW = "Manual Review"
    PAYMENT = "Payment Processing"
    SHIPPING = "Shipping Arrangement"
    DELIVERY = "Delivery"


STEPS = tuple(StepName)


# --- what a step may end with ---


class OutOfStock(ConstraintViolated):
    """A product has too little stock; ``left`` is how much there is of each, where that is known."""

    title = "Out of stock"

    def __init__(self, detail: str, *, left: Mapping[str, int] | None = None, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.left = left or {}


class PaymentDeclined(ConstraintViolated):
    """The payment provider refused; asking again would not help."""

    title = "Payment declined"


class ShippingRefused(ConstraintViolated):
    """The carrier refuses the parcel."""

    title = "The carrier refused the parcel"


class ApprovalRejected(ConstraintViolated):
    """A reviewer rejected the order."""

    title = "Rejected in review"


class CancelReason(StrEnum):
    """Why an order was cancelled."""

    CUSTOMER = "customer"
    STAFF = "staff"
    PAYMENT_FAILED = "payment_failed"
    APPROVAL_REJECTED = "approval_rejected"
    APPROVAL_TIMEOUT = "approval_timeout"
    OUT_OF_STOCK = "out_of_stock"
    SHIPPING_FAILED = "shipping_failed"
    EXPIRED = "expired"


WHY_CANCELLED: Mapping[CancelReason, str] = MappingProxyType(
    {
        CancelReason.CUSTOMER: "The order was cancelled at the customer's request.",
        CancelReason.STAFF: "The shop cancelled this order.",
        CancelReason.PAYMENT_FAILED: "The payment did not go through, so we could not send the order.",
        CancelReason.APPROVAL_REJECTED: "We reviewed this order and could not accept it.",
        CancelReason.APPROVAL_TIMEOUT: "The order needed a review that was not completed in time.",
        CancelReason.OUT_OF_STOCK: "An item of this order sold out before we could reserve it.",
        CancelReason.SHIPPING_FAILED: "The parcel could not be handed over to a carrier.",
        CancelReason.EXPIRED: "The order could not be completed in time.",
    }
)
"""The same in a sentence, for customers."""


# --- the table ---


@dataclass(frozen=True, slots=True)
class Task:
    """A state of a state machine, and the function that it calls."""

    state: str
    function: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A configured wait: its name in ``Waits`` and in the execution's input, the state that waits, the setting of its length.

    ``for_carrier`` is the setting where only the carrier can tell. A wait that ``is_limit`` is the longest possible wait,
    which is not how long the step takes.
    """

    name: str
    state: str
    setting: str
    for_carrier: str | None = None
    is_limit: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The state that waits for what others decide after a step, its function, and its limits by what is waited for."""

    task: Task
    limits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoes a step, and where the unwinding machine enters for it.

    ``took_effect`` is whether there is anything to undo of an order that goes on; ``is_left`` whether that is still to be done
    once the order is being unwound.
    """

    entry: str
    task: Task
    took_effect: Callable[[Snapshot], bool]
    is_left: Callable[[Snapshot], bool]


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """One step. ``refusals`` is what each error that ends it means for the order, ``fails_as`` what any other error means.

    ``by_others`` is where it is waited for, where others do it. ``choice`` is the state of the machine that goes on by what
    the step reports.
    """

    name: StepName
    task: Task
    labels: Mapping[StepStatus, str]
    wait: Wait | None = None
    choice: str | None = None
    undoing: Undoing | None = None
    confirmation: Confirmation | None = None
    by_others: Confirmation | None = None
    refusals: Mapping[str, CancelReason] = field(default_factory=dict)
    fails_as: CancelReason = CancelReason.EXPIRED


def _stock_is_reserved(snapshot: Snapshot) -> bool:
    return snapshot.order.step(StepName.INVENTORY).status is StepStatus.COMPLETED or snapshot.order.is_asked


def _stock_is_kept(snapshot: Snapshot) -> bool:
    return snapshot.order.step(StepName.INVENTORY).status in (StepStatus.COMPENSATING, StepStatus.COMPLETED)


def _money_moved(snapshot: Snapshot) -> bool:
    """Whether the money is there, or may be: the outcome of a charge under way is not known."""
    payment = snapshot.payment
    return payment is not None and payment.status in VOIDABLE | TAKEN


def _money_is_kept(snapshot: Snapshot) -> bool:
    """Whether something is still to be done about it: refunds that people hand out, or make again, are theirs."""
    payment, refunds = snapshot.payment, snapshot.refunds
    if payment is None or not _money_moved(snapshot):
        return False
    is_begun = snapshot.order.step(StepName.PAYMENT).status is StepStatus.COMPENSATING
    is_decided = payment.status not in VOIDABLE and is_arranged(payment, refunds)
    return is_begun or not is_decided or any(one.due_at for one in refunds)


def _parcel_is_out(snapshot: Snapshot) -> bool:
    return any(not shipment.recalled for shipment in snapshot.shipments)


def _parcel_is_to_be_recalled(snapshot: Snapshot) -> bool:
    """Only a parcel that is not delivered, nor on its way to it, can be recalled."""
    status = snapshot.order.status
    before_delivery = status in CANCELLABLE or status is OrderStatus.CANCELLED
    return before_delivery and any(not shipment.recalled for shipment in snapshot.shipments)


_Z = StepStatus

AWAITING_PAYMENT = "Wait for payment confirmation"
ASKING = "Ask customer"
RELEASE = Task("Wait for release", "await_release")
"""Where an order on hold waits, before it is charged or handed over."""
AWAITING_WAREHOUSE = "Wait for warehouse"
ARRIVAL = Task("Await delivery", "ship_parcel")
"""Where the delivery of what a warehouse has handed over is waited for."""

DEFINITIONS = (
    StepDefinition(
        StepName.INVENTORY,
        Task("Reserve stock", "reserve_stock"),
        {
            _Z.PENDING: "Reserve",
            _Z.IN_PROGRESS: "Reserving",
            _Z.COMPLETED: "Reserved",
            _Z.FAILED: "Not reserved",
            _Z.COMPENSATING: "Being released",
            _Z.COMPENSATED: "Released",
            _Z.SKIPPED: "Not reserved",
        },
        choice="What next?",
        undoing=Undoing("stock", Task("Release stock", "release_stock"), _stock_is_reserved, _stock_is_kept),
        confirmation=Confirmation(
            Task(ASKING, "ask_customer"), (Wait("shortage", ASKING, "SHORTAGE_TIMEOUT_SECONDS", is_limit=True),)
        ),
        refusals={OutOfStock.__name__: CancelReason.OUT_OF_STOCK},
    ),
    StepDefinition(
        StepName.REVIEW,
        Task("Wait for approval", "request_approval"),
        {
            _Z.PENDING: "Check",
            _Z.IN_PROGRESS: "Being checked",
            _Z.COMPLETED: "Checked",
            _Z.FAILED: "Not approved",
            _Z.COMPENSATING: "Checked",
            _Z.COMPENSATED: "Checked",
            _Z.SKIPPED: "Not checked",
        },
        wait=Wait("approval", "Wait for approval", "APPROVAL_TIMEOUT_SECONDS", is_limit=True),
        refusals={ApprovalRejected.__name__: CancelReason.APPROVAL_REJECTED, TIMED_OUT: CancelReason.APPROVAL_TIMEOUT},
    ),
    StepDefinition(
        StepName.PAYMENT,
        Task("Charge payment", "charge_payment"),
        {
            _Z.PENDING: "Pay",
            _Z.IN_PROGRESS: "To be paid",
            _Z.COMPLETED: "Paid",
            _Z.FAILED: "Payment failed",
            _Z.COMPENSATING: "Being undone",
            _Z.COMPENSATED: "Undone",
            _Z.SKIPPED: "Not charged",
        },
        wait=Wait("payment", "Wait for payment", "PAYMENT_WAIT_SECONDS"),
        choice="Paid yet?",
        undoing=Undoing("payment", Task("Refund payment", "refund_payment"), _money_moved, _money_is_kept),
        confirmation=Confirmation(
            Task(AWAITING_PAYMENT, "await_payment"),
            (
                Wait("confirmation", AWAITING_PAYMENT, "PAYMENT_CONFIRMATION_SECONDS", is_limit=True),
                Wait("transfer", AWAITING_PAYMENT, "BANK_TRANSFER_CONFIRMATION_SECONDS", is_limit=True),
            ),
        ),
        refusals={PaymentDeclined.__name__: CancelReason.PAYMENT_FAILED},
        fails_as=CancelReason.PAYMENT_FAILED,
    ),
    StepDefinition(
        StepName.SHIPPING,
        Task("Ship parcel and await delivery", "ship_parcel"),
        {
            _Z.PENDING: "Pack",
            _Z.IN_PROGRESS: "Packing",
            _Z.COMPLETED: "Shipped",
            _Z.FAILED: "Not shipped",
            _Z.COMPENSATING: "Being recalled",
            _Z.COMPENSATED: "Recalled",
            _Z.SKIPPED: "Not shipped",
        },
        wait=Wait("preparation", "Wait for preparation", "PREPARATION_WAIT_SECONDS"),
        by_others=Confirmation(
            Task(AWAITING_WAREHOUSE, "await_warehouse"),
            (Wait("warehouse", AWAITING_WAREHOUSE, "WAREHOUSE_WAIT_SECONDS", is_limit=True),),
        ),
        undoing=Undoing("shipment", Task("Recall shipment", "recall_shipment"), _parcel_is_out, _parcel_is_to_be_recalled),
        refusals={ShippingRefused.__name__: CancelReason.SHIPPING_FAILED},
        fails_as=CancelReason.SHIPPING_FAILED,
    ),
    StepDefinition(
        StepName.DELIVERY,
        Task("Deliver order", "deliver_order"),
        {
            _Z.PENDING: "Deliver",
            # Under way, it is called after where the parcel is: see the sentences.
            _Z.COMPLETED: "Delivered",
            _Z.FAILED: "Not delivered",
            _Z.COMPENSATING: "Being taken back",
            _Z.COMPENSATED: "Taken back",
            _Z.SKIPPED: "Not delivered",
        },
        wait=Wait(
            "delivery", "Ship parcel and await delivery", "DELIVERY_WAIT_SECONDS", for_carrier="DELIVERY_OVERDUE_SECONDS"
        ),
    ),
)

BY_NAME: Mapping[StepName, StepDefinition] = MappingProxyType({one.name: one for one in DEFINITIONS})
WAITS = (
    *(one.wait for one in DEFINITIONS if one.wait),
    *(limit for one in DEFINITIONS if one.confirmation for limit in one.confirmation.limits),
    *(limit for one in DEFINITIONS if one.by_others for limit in one.by_others.limits),
)

CLOSING = Task("Close order", "close_order")
NOTHING = "nothing"
"""Where the unwinding machine enters when nothing is left to undo: at its end."""

UNDOINGS: Mapping[StepName, Undoing] = MappingProxyType({one.name: one.undoing for one in reversed(DEFINITIONS) if one.undoing})
"""What undoes each step that can be undone: what was done last comes first."""

UNWINDING: Mapping[str, Task] = MappingProxyType({one.entry: one.task for one in UNDOINGS.values()} | {NOTHING: CLOSING})
"""The chain of the unwinding machine: each entry with the task it leads to."""


def unwound_from(entry: str) -> tuple[Task, ...]:
    """The tasks that the unwinding machine runs from an entry on; one that it does not know leads to its end."""
    entries, tasks = list(UNWINDING), tuple(UNWINDING.values())
    return tasks[entries.index(entry if entry in UNWINDING else NOTHING) :]


REASON_OF_ERROR: Mapping[str, CancelReason] = MappingProxyType(
    {error: reason for one in DEFINITIONS for error, reason in one.refusals.items()}
)


def reason_of(error: str, name: StepName | None) -> CancelReason:
    """Why an order is cancelled whose step ended with the error: as the refusal says, else as the step's failures count."""
    otherwise = BY_NAME[name].fails_as if name else CancelReason.EXPIRED
    return REASON_OF_ERROR.get(error, otherwise)
