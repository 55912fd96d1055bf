"""The only module that talks to SQS and SNS: delayed deliveries, dead letters and customers' notices."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from orders import settings
from orders.adapters import aws
from orders.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


class QueueBusy(TransientError):
    """The queue could not be reached, or did not accept a message."""


def sqs() -> "SQSClient":
    """One client a process, and another for calls near a deadline."""
    return _sqs(aws.patience())


@cache
def _sqs(allowed: aws.Patience) -> "SQSClient":
    made: SQSClient = aws.limited_client("sqs", allowed)
    return made


@cache
def sns() -> "SNSClient":
    """One client a process."""
    made: SNSClient = aws.client("sns")
    return made


MOST_AT_ONCE = 10
"""The most messages that one call accepts."""


def send_deliveries(deliveries: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Queues deliveries (webhook id, delivery id) to be attempted now; returns those that the queue did not take.

    Raises:
        QueueBusy, OutOfTime: none, or not all, were taken; all may be queued again.
    """
    refused: list[tuple[str, str]] = []
    for first in range(0, len(deliveries), MOST_AT_ONCE):
        chunk = deliveries[first : first + MOST_AT_ONCE]
        aws.check_time()
        entries: Any = [{"Id": str(place), "MessageBody": _delivery_message(*one)} for place, one in enumerate(chunk)]
        try:
            answer = sqs().send_message_batch(QueueUrl=settings.webhook_deliveries_url(), Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise QueueBusy("The queue may not have accepted the messages.") from error
        refused += [chunk[int(entry["Id"])] for entry in answer.get("Failed", [])]
    return refused


def _delivery_message(webhook_id: str, delivery_id: str) -> str:
    return json.dumps({"webhook_id": webhook_id, "delivery_id": delivery_id})


def send_delivery(webhook_id: str, delivery_id: str, seconds: int) -> None:
    """Queues a delivery to be handled after so many seconds, 900 at most."""
    body = _delivery_message(webhook_id, delivery_id)
    sqs().send_message(QueueUrl=settings.webhook_deliveries_url(), MessageBody=body, DelaySeconds=seconds)


def hold_back(queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Redelivers an event that could not be handled after so many seconds, instead of the queue's time-out."""
    sqs().change_message_visibility(QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds)


def set_aside(consumer: str, record: Mapping[str, Any], why: str) -> None:
    """Moves a record that no retry can process to the dead-letter queue, so that it does not block the others."""
    body = json.dumps({"consumer": consumer, "error": why, "record": record})
    sqs().send_message(QueueUrl=settings.unhandled_events_url(), MessageBody=body)


def notify(subject: str, text: str, attributes: Mapping[str, str]) -> None:
    """Publishes to the customers' topic; subscribers filter by the attributes."""
    named: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sns().publish(TopicArn=settings.notices_topic_arn(), Subject=subject, Message=text, MessageAttributes=named)
