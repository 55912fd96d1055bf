"""Executions go on with the definition that they began with, whichever release's functions they meet."""

import json
from typing import Any

import pytest

from local.step_functions.documents import StateError
from local.step_functions.templates import fill
from tests.statemachine.machines import FULFIL, definition
from tests.upgrade.lives import ID, LIVES
from tests.upgrade.releases import Release
from tests.upgrade.shared_table import SharedTable

PLACED: dict[str, Any] = {"order_id": ID, "run": 1}


def selected(state: str, answer: Any) -> Any:
    """What the state makes of its function's answer."""
    return fill(definition(FULFIL)["States"][state]["ResultSelector"], {"Payload": json.loads(json.dumps(answer))}, {})


@pytest.mark.parametrize(
    ("state", "function", "life"),
    [("Reserve stock", "reserve_stock", "placed"), ("Charge payment", "charge_payment", "reserved")],
)
def test_a_release_taken_back_leaves_the_newer_definition_s_executions_to_the_sweep(
    table: SharedTable, old: Release, new: Release, state: str, function: str, life: str
) -> None:
    """The older functions know no outcomes: the execution fails, caught or not, nothing is cancelled for it, and what was done
    is found done by the next run, which has the older definition.
    """
    table.release = new
    for call in LIVES[life]:
        call(table)
    table.release = old
    answer = table.step(function, ID, outcomes=True)
    with pytest.raises(StateError, match="could not be found"):
        selected(state, answer)
    failure = {"Error": "States.ParameterPathFailure", "Cause": ""}
    table.refused("KeyError", "begin_unwinding", ID, run=1, so_far={**PLACED, "failure": failure})
    order = table.snapshot(ID).order
    assert not order.is_over
    assert table.step(function, ID)["version"] == order.version, "the work is done already"


def test_the_present_functions_report_what_the_present_definition_selects(table: SharedTable, new: Release) -> None:
    table.release = new
    for call in LIVES["placed"]:
        call(table)
    reserved = selected("Reserve stock", table.step("reserve_stock", ID, outcomes=True))
    charged = selected("Charge payment", table.step("charge_payment", ID, outcomes=True))
    assert (reserved["stock"]["outcome"], charged["payment"]["outcome"]) == ("reserved", "paid")


@pytest.mark.parametrize("life", ["declined", "in review"])
def test_an_execution_of_the_first_definition_gets_its_errors_from_the_present_functions(
    table: SharedTable, new: Release, life: str
) -> None:
    table.release = new
    for call in LIVES[life]:
        call(table)
    order = table.snapshot(ID).order
    assert order.is_over == (life == "declined")


def test_an_execution_of_the_first_definition_whose_parcel_is_overdue_is_followed_by_one_that_waits(
    table: SharedTable, new: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELIVERY_MODE", "carrier")
    table.release = new
    for call in LIVES["shipped"]:
        call(table)
    table.refused("DeliveryPending", "deliver_order", ID)
    table.step("begin_unwinding", ID, failure={"Error": "DeliveryPending", "Cause": "{}"})
    order = table.snapshot(ID).order
    assert (order.status, order.run, order.is_over) == ("SHIPPED", 2, False)
