"""Writes on conditions: a condition that does not hold is an outcome, a busy table is ``StoreBusy``, all else is raised."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from orders.adapters.store.table import WriteOutcome, conditional_write
from orders.domain.errors import StoreBusy

FOUND = {"PK": {"S": "ORDER#1"}, "SK": {"S": "#ORDER"}}
HELD, FAILED, CONFLICT = {"Code": "None"}, {"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}


def written(code: str | None = None, *reasons: dict[str, Any], **response: Any) -> WriteOutcome:
    """What becomes of a write that DynamoDB refuses with an error of this code, if there is one."""

    def operation(**request: Any) -> Any:
        if code is None:
            return {"Attributes": request["Item"]}
        cancelled: Any = {"CancellationReasons": list(reasons)} if reasons else {}
        error: Any = {"Error": {"Code": code, "Message": "refused"}, **cancelled, **response}
        raise ClientError(error, "Write")

    return conditional_write(operation, Item=FOUND)


def test_a_write_whose_condition_holds_has_dynamodbs_response() -> None:
    outcome = written()
    assert (outcome.is_written, outcome.response) == (True, {"Attributes": FOUND})


def test_a_failed_condition_comes_with_the_item_that_was_found_where_it_was_asked_for() -> None:
    assert written("ConditionalCheckFailedException") == WriteOutcome({}, {0: {}})
    assert written("ConditionalCheckFailedException", Item=FOUND) == WriteOutcome({}, {0: FOUND})


def test_a_failed_condition_keeps_dynamodbs_error_as_the_cause_of_what_is_raised_for_it() -> None:
    outcome = written("ConditionalCheckFailedException", Item=FOUND)
    assert isinstance(outcome.error, ClientError)
    assert "ORDER#1" not in repr(outcome)


def test_a_transaction_names_the_actions_whose_conditions_failed() -> None:
    outcome = written("TransactionCanceledException", HELD, {**FAILED, "Item": FOUND}, CONFLICT, FAILED)
    assert (outcome.is_written, outcome.failed) == (False, {1: FOUND, 3: {}})


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("ThrottlingException", []),
        ("TransactionConflictException", []),
        ("TransactionCanceledException", [HELD, CONFLICT]),
        ("TransactionCanceledException", [{"Code": "ProvisionedThroughputExceeded"}]),
    ],
)
def test_a_busy_table_is_no_failed_condition(code: str, reasons: list[dict[str, Any]]) -> None:
    with pytest.raises(StoreBusy):
        written(code, *reasons)


@pytest.mark.parametrize(
    ("code", "reasons"),
    [("ValidationException", []), ("TransactionCanceledException", [HELD, {"Code": "ItemCollectionSizeLimitExceeded"}])],
)
def test_every_other_error_is_raised(code: str, reasons: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError, match=code):
        written(code, *reasons)
