"""Every refusal and every transient fault, each with its own class; ``steps`` lists those that end a step of the workflow.

A class's name is its error name in Step Functions: the machines' Retry and Catch blocks list the names given here, and a
test keeps the two lists equal. A refusal has the code and the HTTP status of its response; its text is written for
callers and never holds internals.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar


class OrderError(Exception):
    """The base class of all expected errors."""

    code: ClassVar[str] = "FAILED_PRECONDITION"
    http_status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT
    title: ClassVar[str] = "Not possible in the order's state"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, Any] = extra


class TransientError(OrderError):
    """A transient fault: retry with the same idempotency key."""

    code = "UNAVAILABLE"
    http_status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Try again shortly"


class GatewayUnavailable(TransientError):
    """The payment provider did not take the call; nothing was charged by it."""


class OutcomeUnknown(TransientError):
    """An outside party took the call but its response was lost: it is looked up, never guessed."""


class CarrierUnavailable(TransientError):
    """The carrier did not take the call."""


class StoreBusy(TransientError):
    """The table throttled the request or another transaction held one of its items."""


class NewerRow(TransientError):
    """The row holds a value of a later release: only that release may change it."""


class WorkflowBusy(TransientError):
    """The workflow service did not take a waiting task's result, or its own response was lost."""


class IssuerUnavailable(TransientError):
    """The keys that tokens are verified with could not be fetched."""


class OrderChanged(TransientError):
    """Another writer changed the order between our read and our write."""


class InvalidArgument(OrderError):
    """The request is malformed; ``errors`` names each field's path."""

    code = "INVALID_ARGUMENT"
    http_status = HTTPStatus.BAD_REQUEST
    title = "The request is not valid"

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidArgument":
        """One bad field, named by its path."""
        return cls(f"{field}: {message}", errors=[{"field": field, "message": message}])


class Unauthenticated(OrderError):
    """The caller is not authenticated."""

    code = "UNAUTHENTICATED"
    http_status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class PermissionDenied(OrderError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"
    http_status = HTTPStatus.FORBIDDEN
    title = "Not allowed"


class NotFound(OrderError):
    """The resource does not exist."""

    code = "NOT_FOUND"
    http_status = HTTPStatus.NOT_FOUND
    title = "Not found"


class MethodNotAllowed(OrderError):
    """The path exists, but not with this method."""

    code = "METHOD_NOT_ALLOWED"
    http_status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class PayloadTooLarge(OrderError):
    """The body is larger than any real request."""

    code = "INVALID_ARGUMENT"
    http_status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The request is too large"


class AlreadyExists(OrderError):
    """The id is in use."""

    code = "ALREADY_EXISTS"
    title = "Already exists"


class AlreadyApplied(OrderError):
    """The outside event is already applied."""

    title = "Already applied"


class KeyUsed(OrderError):
    """Another request with the same idempotency key was first: its result counts."""

    title = "The key is in use"


class IdempotencyMismatch(OrderError):
    """The idempotency key was used with another body."""

    code = "IDEMPOTENCY_MISMATCH"
    http_status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The idempotency key belongs to another request"


class VersionMismatch(OrderError):
    """``If-Match`` names a version that is no longer current."""

    code = "FAILED_PRECONDITION"
    http_status = HTTPStatus.PRECONDITION_FAILED
    title = "The order has changed"


class IllegalTransition(OrderError):
    """The transition table does not allow the change (``docs/behavior.md#statuses``)."""

    title = "Status change not allowed"

    def __init__(self, current: str, wanted: str, allowed: Iterable[str]) -> None:
        names = sorted(allowed)
        refused = f"already {current}" if current == wanted else f"{current} and cannot become {wanted}"
        outlook = f"it can become {', '.join(names)}" if names else f"{current} is final"
        detail = f"The order is {refused}; {outlook}."
        super().__init__(detail, **{"from": str(current), "to": str(wanted), "allowed": [str(name) for name in names]})


class ConstraintViolated(OrderError):
    """The transition table allows it; a business rule does not."""


class ApprovalPending(ConstraintViolated):
    """The review is not decided."""

    title = "Waiting for review"


class ShortagePending(ConstraintViolated):
    """The customer is asked what to do about a shortage."""

    title = "Waiting for the customer's answer"


class PaymentPending(ConstraintViolated):
    """The payment is asked for, and not decided."""

    title = "Waiting for the payment"


class DeliveryPending(ConstraintViolated):
    """The parcel has not arrived, and only its carrier, or people, can say what becomes of it."""

    title = "Waiting for the carrier"


class OrderOnHold(ConstraintViolated):
    """The order is on hold: nothing is charged or handed over until it is released."""

    title = "On hold"


class OrderOver(ConstraintViolated):
    """The order was cancelled or is being unwound: the workflow has nothing left to do for it."""

    title = "The order is over"


class RefundRefused(ConstraintViolated):
    """The payment provider does not give the money back."""

    title = "Refund refused"


_DOMAIN = __name__.removesuffix("errors")


def family() -> tuple[type[OrderError], ...]:
    """Every error of the domain; one that an adapter or a service keeps to itself would be known only once that is imported."""
    found: list[type[OrderError]] = [OrderError]
    for error in found:
        found.extend(error.__subclasses__())
    return tuple(error for error in found if error.__module__.startswith(_DOMAIN))


def named(name: str) -> type[OrderError] | None:
    """The error of that name, if it is one of ours."""
    return next((error for error in family() if error.__name__ == name), None)
