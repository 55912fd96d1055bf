"""The table of steps holds every step once, in order, and what it says of waits is what there is."""

from dataclasses import fields

import pytest

from orders.domain.outcomes import OF_PAYMENT_STATUS
from orders.domain.statuses import PaymentStatus
from orders.domain.steps import (
    CLOSING,
    DEFINITIONS,
    TIMED_OUT,
    UNWINDING,
    WAITS,
    CancelReason,
    StepName,
    reason_of,
    unwound_from,
)
from orders.domain.waits import Waits


def test_every_step_has_its_definition_in_the_order_in_which_they_happen() -> None:
    assert [one.name for one in DEFINITIONS] == list(StepName)


def test_every_wait_of_the_workflow_is_a_step_s() -> None:
    beside = {"arrival"}
    """How long a run waits for a parcel that only its carrier reports: no limit of a step's."""
    assert sorted(wait.name for wait in WAITS) == sorted({field.name for field in fields(Waits)} - beside)


def test_what_was_done_last_is_undone_first_and_the_order_is_closed_at_the_end() -> None:
    undone = [one.undoing.task for one in reversed(DEFINITIONS) if one.undoing]
    assert [*unwound_from("shipment")] == [*UNWINDING.values()] == [*undone, CLOSING]
    assert unwound_from("what nobody foresaw") == (CLOSING,)


@pytest.mark.parametrize(
    ("error", "step", "reason"),
    [
        ("OutOfStock", StepName.INVENTORY, CancelReason.OUT_OF_STOCK),
        ("ApprovalRejected", StepName.REVIEW, CancelReason.APPROVAL_REJECTED),
        (TIMED_OUT, StepName.REVIEW, CancelReason.APPROVAL_TIMEOUT),
        ("PaymentDeclined", StepName.PAYMENT, CancelReason.PAYMENT_FAILED),
        ("GatewayUnavailable", StepName.PAYMENT, CancelReason.PAYMENT_FAILED),
        ("ShippingRefused", StepName.SHIPPING, CancelReason.SHIPPING_FAILED),
        ("CarrierUnavailable", StepName.SHIPPING, CancelReason.SHIPPING_FAILED),
        ("StoreBusy", StepName.INVENTORY, CancelReason.EXPIRED),
        ("StoreBusy", None, CancelReason.EXPIRED),
    ],
)
def test_an_order_is_cancelled_for_what_its_step_met(error: str, step: StepName | None, reason: CancelReason) -> None:
    assert reason_of(error, step) is reason


def test_each_status_of_a_payment_is_an_outcome_that_the_machine_goes_on_by() -> None:
    assert set(OF_PAYMENT_STATUS) == set(PaymentStatus)
