"""A task's token is answered once, and what Step Functions says to it gets a name that the machines know."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from orders.adapters import workflow
from orders.domain.errors import WorkflowBusy

ANSWERS: list[Callable[[], bool]] = [
    lambda: workflow.answer("token", {}),
    lambda: workflow.refuse("token", "ApprovalRejected", "No."),
]
NOWHERE = "https://states.example"


class Service:
    """Step Functions' client, as far as it says no."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def send_task_success(self, **_: Any) -> None:
        raise self.error

    def send_task_failure(self, **_: Any) -> None:
        raise self.error


def says(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "SendTaskSuccess")


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("code", ["TaskTimedOut", "InvalidToken", "TaskDoesNotExist"])
def test_a_token_that_nobody_waits_for_any_more_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, code: str, answer: Callable[[], bool]
) -> None:
    monkeypatch.setattr(workflow, "client", lambda: Service(says(code)))
    assert answer() is False


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(
    "fault",
    [
        says("ThrottlingException"),
        says("ServiceUnavailable"),
        EndpointConnectionError(endpoint_url=NOWHERE),
        ConnectTimeoutError(endpoint_url=NOWHERE),
        ReadTimeoutError(endpoint_url=NOWHERE),
    ],
    ids=lambda fault: fault.response["Error"]["Code"] if isinstance(fault, ClientError) else type(fault).__name__,
)
def test_an_answer_that_was_not_taken_may_be_given_again(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, answer: Callable[[], bool]
) -> None:
    monkeypatch.setattr(workflow, "client", lambda: Service(fault))
    with pytest.raises(WorkflowBusy):
        answer()


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_wrong_for_good_rises_as_it_is(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bool]) -> None:
    monkeypatch.setattr(workflow, "client", lambda: Service(says("AccessDeniedException")))
    with pytest.raises(ClientError):
        answer()
