"""Dead letters sent again to where they failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local.cli.place import NotPossible, Place

LETTERS = ("UnhandledEvents", "FulfillmentDeadLetters", "PaymentDeadLetters")
BY_THE_BUS_ONLY = {"FulfillmentEvents": "OnFulfillmentEventFunction", "PaymentEvents": "OnPaymentEventFunction"}
"""The queues to which only the bus may send, and the consumer of each."""

DeadLetter = Mapping[str, Any]


def redrive_dead_letters(place: Place) -> dict[str, dict[str, int]]:
    """Sends dead letters to where they failed; one that does not say where stays in its queue."""
    return {name: _empty(place, name) for name in LETTERS}


def _empty(place: Place, name: str) -> dict[str, int]:
    sqs, url = place.client("sqs"), place.resources[name]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    # No more than there are now: one that fails again must not be tried endlessly.
    waiting, count = int(told["ApproximateNumberOfMessages"]), {"sent": 0, "left": 0}
    for dead_letter in _received(sqs, url, waiting):
        again = _sender(place, dead_letter)
        if again is None or not _sent(again):
            count["left"] += 1
            continue
        sqs.delete_message(QueueUrl=url, ReceiptHandle=dead_letter["ReceiptHandle"])
        count["sent"] += 1
    return count


def _sent(again: Callable[[], Any]) -> bool:
    """One that fails again is reported and stays; the others go on."""
    try:
        again()
    except NotPossible as reason:
        print(f"orders: {reason}", file=sys.stderr)
        return False
    return True


def _received(sqs: Any, url: str, most: int) -> Iterator[DeadLetter]:
    seen = 0
    while seen < most:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(10, most - seen),
            VisibilityTimeout=60,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            return
        seen += len(answer["Messages"])
        yield from answer["Messages"]


def _sender(place: Place, dead_letter: DeadLetter) -> Callable[[], Any] | None:
    """How to send a dead letter to where it failed: a queue, a function, or a function that reads a stream."""
    body = _read(dead_letter["Body"])
    if "requestPayload" in body:
        # An asynchronous invocation: its record holds the function and what it was called with.
        return lambda: _invoke(place, body["requestContext"]["functionArn"], body["requestPayload"])
    if "DDBStreamBatchInfo" in body:
        return _stream_sender(place, body)
    if "consumer" in body and "record" in body:
        # A record that its consumer could not read and has set aside: whole, so that no stream has to remember it.
        function = place.resources["".join(word.capitalize() for word in body["consumer"].split("_")) + "Function"]
        return lambda: _invoke(place, function, {"Records": [body["record"]]})
    attributes = {name: value.get("StringValue", "") for name, value in dead_letter.get("MessageAttributes", {}).items()}
    target = attributes.get("TARGET_ARN") or dead_letter.get("Attributes", {}).get("DeadLetterQueueSourceArn", "")
    if ":sqs:" in target:
        return _queue_sender(place, dead_letter, _queue_url(place, target))
    if ":lambda:" in target:
        return lambda: _invoke(place, target, body)
    return None


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _queue_url(place: Place, arn: str) -> str:
    return str(place.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


def _invoke(place: Place, function: str, event: Any) -> None:
    name = function.removesuffix(":$LATEST")
    place.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode())


def _queue_sender(place: Place, dead_letter: DeadLetter, url: str) -> Callable[[], Any]:
    consumer = next((function for queue, function in BY_THE_BUS_ONLY.items() if place.resources.get(queue) == url), None)
    if consumer:
        return lambda: _hand_over(place, dead_letter, place.resources[consumer])
    return lambda: place.client("sqs").send_message(QueueUrl=url, MessageBody=dead_letter["Body"])


def _hand_over(place: Place, dead_letter: DeadLetter, function: str) -> None:
    """Hands an event to its queue's consumer, as its queue would: only the bus may send to that queue.

    It keeps the time at which it was queued, and has no receipt: its redelivery cannot be delayed.
    """
    attributes = {**dead_letter["Attributes"], "ApproximateReceiveCount": "1"}
    record = {"messageId": dead_letter["MessageId"], "receiptHandle": "", "body": dead_letter["Body"], "attributes": attributes}
    _invoke_now(place, function, [{**record, "eventSource": "aws:sqs"}])


def _invoke_now(place: Place, function: str, records: Sequence[Any]) -> None:
    """Invokes a function with records.

    Raises:
        NotPossible: some of them failed.
    """
    answer = place.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"Records": records}).encode())
    result = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer or (result or {}).get("batchItemFailures"):
        raise NotPossible(f"{function} has failed again: its dead letter stays. See its log.")


def _stream_sender(place: Place, body: Mapping[str, Any]) -> Callable[[], Any] | None:
    """The dead letter of a stream has only the records' positions; the stream keeps the records for a day."""
    if place.is_local:
        return None  # the local stream keeps nothing; `orders sweep` repairs what is missing
    function, batch = body["requestContext"]["functionArn"], body["DDBStreamBatchInfo"]
    records = [record for record in _records(place.client("dynamodbstreams"), batch) if _is_for(function, record)]

    return (lambda: _invoke_now(place, function, records)) if records else None


def _records(streams: Any, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    first, last = batch["startSequenceNumber"], batch["endSequenceNumber"]
    try:
        iterator = streams.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=first,
        )["ShardIterator"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            return
        raise
    while iterator:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > int(last):
                return
            yield json.loads(json.dumps(record, default=str))
        iterator = answer.get("NextShardIterator") if answer["Records"] else None


def _is_for(function: str, record: Mapping[str, Any]) -> bool:
    """What the mapping's filter lets through (template.yaml, ChangesFeed and WorkflowFeed)."""
    image = record["dynamodb"].get("NewImage", {})
    wanted = "follow_up" if "drive-workflow" in function else "kind"
    return record["eventName"] == "INSERT" and image.get("kind", {}).get("S") == "event" and wanted in image
