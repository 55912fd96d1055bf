"""The table of faults: what may go wrong, where that is documented, and around which calls.

A fault of a call has a moment: ``before`` the call had its effect, or ``after`` it. All others have places of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BEFORE, AFTER = "before", "after"

READS = ("GetItem", "Query", "BatchGetItem")
WRITES = ("TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem")
WORKFLOW = ("StartExecution", "StopExecution", "DescribeExecution", "SendTaskSuccess", "SendTaskFailure")
MESSAGES = ("SendMessage", "SendMessageBatch", "ChangeMessageVisibility", "PutEvents", "Publish")
OTHERS = ("GetSecretValue",)
CALLS = (*READS, *WRITES, *WORKFLOW, *MESSAGES, *OTHERS)
ON_TABLE = (*READS, *WRITES)
EFFECTS = (*WRITES, "StartExecution", "StopExecution", "SendTaskSuccess", "SendTaskFailure", *MESSAGES)
GATEWAY = ("open", "authorize", "capture", "renew", "void", "refund", "look_up")
CARRIER = ("book", "recall")
PROVIDERS = (*GATEWAY, *CARRIER)
PARTIES: Mapping[str, tuple[str, ...]] = MappingProxyType({"payment provider": GATEWAY, "carrier": CARRIER})
"""Who may take no call for minutes, with what they are called for."""

_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/"
_STATES = "https://docs.aws.amazon.com/step-functions/latest/dg/"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest/userguide/"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which AWS, or somebody outside, may let the product down.

    ``moments`` are those of a call, ``calls`` the operations around which they lie. ``weight`` is how often the fault is
    drawn, beside the others of its place.
    """

    name: str
    says: str
    documented: str
    moments: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    weight: int = 1


CALL_FAULTS = (
    Fault(
        "throttled",
        "refused in all of the SDK's tries: the quota is used up",
        _DYNAMODB + "Programming.Errors.html, " + _STATES + "service-quotas.html",
        (BEFORE,),
        (*ON_TABLE, *WORKFLOW, *MESSAGES, *OTHERS),
        3,
    ),
    Fault(
        "failing",
        "the service's own error 500 in all of the SDK's tries, nothing done",
        _DYNAMODB + "Programming.Errors.html#Programming.Errors.MessagesAndCodes",
        (BEFORE,),
        (*ON_TABLE, *WORKFLOW, *MESSAGES, *OTHERS),
        2,
    ),
    Fault(
        "conflict",
        "the transaction meets another one on an item, or so the service says",
        _DYNAMODB + "transaction-apis.html#transaction-conflict-handling",
        (BEFORE,),
        ("TransactWriteItems",),
        4,
    ),
    Fault(
        "answer lost",
        "the effect is there, the answer is not: the SDK tries again and meets its own effect",
        "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html, " + _DYNAMODB + "transaction-apis.html",
        (AFTER,),
        EFFECTS,
        4,
    ),
    Fault(
        "no answer",
        "the effect is there, and none of the SDK's tries brings an answer",
        "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
        (AFTER,),
        EFFECTS,
        2,
    ),
    Fault(
        "killed",
        "the function's process ends at the call: out of memory, or its host is gone",
        _LAMBDA + "troubleshooting-invocation.html, " + _LAMBDA + "lambda-runtime-environment.html",
        (BEFORE, AFTER),
        (*CALLS, *PROVIDERS),
        4,
    ),
    Fault(
        "timed out",
        "the call hangs until the function is ended at its time-out",
        _LAMBDA + "configuration-timeout.html",
        (BEFORE, AFTER),
        (*CALLS, *PROVIDERS),
        3,
    ),
    Fault(
        "provider unavailable",
        "the payment provider or the carrier takes no call",
        "docs/providers.md; https://docs.stripe.com/error-low-level#server-errors",
        (BEFORE,),
        PROVIDERS,
        3,
    ),
    Fault(
        "outcome unknown",
        "the provider's or the carrier's answer is lost",
        "docs/providers.md; https://docs.stripe.com/error-low-level#network-errors",
        (BEFORE, AFTER),
        PROVIDERS,
        4,
    ),
)

OTHER_FAULTS = (
    Fault("slow call", "a call takes seconds", _LAMBDA + "best-practices.html"),
    Fault("clock skew", "a function's clock is up to two seconds wrong", "https://aws.amazon.com/about-aws/whats-new/2023/11/amazon-time-sync-service-microsecond-accurate-time/"),
    Fault("stale index", "an index shows the table as it was seconds ago", _DYNAMODB + "GSI.html#GSI.Writes"),
    Fault("invocation refused", "Lambda refuses to invoke: too many at once", _LAMBDA + "lambda-concurrency.html"),
    Fault("invocation forgotten", "the caller gives a running invocation up and tries again beside it", _STATES + "connect-lambda.html"),
    Fault("record held up", "later records of other items overtake it", _LAMBDA + "with-ddb.html, ParallelizationFactor"),
    Fault("batch cut short", "a batch has fewer records than there are", _LAMBDA + "with-ddb.html"),
    Fault("batch doubled", "a batch that was accepted is delivered again", _LAMBDA + "with-ddb.html (at least once)"),
    Fault("message late", "a message is delivered long after it was sent", _SQS + "sqs-short-and-long-polling.html"),
    Fault("message doubled", "a message is delivered twice, at once or after its deletion", _SQS + "standard-queues-at-least-once-delivery.html"),
    Fault("event late", "the bus delivers an event late", _EVENTS + "eb-rule-retry-policy.html"),
    Fault("event doubled", "the bus delivers an event twice", _EVENTS + "eb-troubleshooting.html#eb-rule-triggered-more-than-once"),
    Fault("event lost", "the end of an execution is not reported: best effort", _EVENTS + "eb-service-event.html#eb-service-event-delivery-level"),
    Fault("describe late", "DescribeExecution shows an execution as it was, or does not know it yet", "https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html"),
    Fault("execution failed", "an execution fails by no fault of its functions", _STATES + "service-quotas.html (events of a history)"),
    Fault("execution aborted", "somebody stops an execution in the console", "https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"),
    Fault("execution redriven", "somebody redrives an execution that failed", _STATES + "redrive-executions.html"),
    Fault("stale token", "a token is returned long after its task has ended, and again", "https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html"),
    Fault("endpoint fails", "a subscriber's endpoint answers 500", "https://www.standardwebhooks.com"),
    Fault("endpoint hangs", "a subscriber's endpoint has taken the event and does not answer", "https://www.standardwebhooks.com"),
    Fault("outage", "a function fails for minutes, until retries and ages are used up", _LAMBDA + "invocation-async-error-handling.html"),
    Fault("provider outage", "the payment provider or the carrier takes no call for minutes, until retries are used up", "docs/providers.md; https://docs.stripe.com/error-low-level#server-errors"),
    Fault("release", "edition one's functions serve until this release's take over, some calls first; executions go on with their definition", "docs/decisions/012-releases-meet-in-the-table.md"),
    Fault("partly taken", "of a batch some entries are taken and others are not", _EVENTS + "eb-putevents.html, " + _SQS + "sqs-batch-api-actions.html, " + _DYNAMODB + "Programming.Errors.html#Programming.Errors.BatchOperations"),
    Fault("stranger", "an event names an order that nobody has placed, or a parcel that nobody has sent", "docs/behavior.md#fulfillment-events"),
    Fault("client repeats", "a caller sends its request again: it had no answer, or was impatient", "https://docs.stripe.com/api/idempotent_requests"),
)  # fmt: skip

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in (*CALL_FAULTS, *OTHER_FAULTS)})


def around(call: str) -> tuple[tuple[Fault, str], ...]:
    """What may go wrong around a call: each fault with each of its moments."""
    return tuple((fault, moment) for fault in CALL_FAULTS if call in fault.calls for moment in fault.moments)
