"""The only module that talks to SQS and SNS: what is held back until it is due, set aside, or told to customers."""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from orders import aws, settings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@cache
def sqs() -> "SQSClient":
    """One client a process."""
    made: SQSClient = aws.client("sqs")
    return made


@cache
def sns() -> "SNSClient":
    """One client a process."""
    made: SNSClient = aws.client("sns")
    return made


def owe(webhook_id: str, delivery_id: str, seconds: int) -> None:
    """Queues a delivery to be looked at after so many seconds, 900 at most."""
    body = json.dumps({"webhook_id": webhook_id, "delivery_id": delivery_id})
    sqs().send_message(QueueUrl=settings.webhook_deliveries_url(), MessageBody=body, DelaySeconds=seconds)


def hold_back(receipt_handle: str, seconds: int) -> None:
    """Lets a fulfilment event that could not be handled come again after so many seconds, instead of the queue's own time."""
    sqs().change_message_visibility(
        QueueUrl=settings.fulfillment_events_url(), ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
    )


def set_aside(consumer: str, record: Mapping[str, Any], why: str) -> None:
    """Puts a record that no retry will mend where people look at what failed, so that those behind it can go on."""
    body = json.dumps({"consumer": consumer, "error": why, "record": record})
    sqs().send_message(QueueUrl=settings.unhandled_events_url(), MessageBody=body)


def notify(subject: str, text: str, attributes: Mapping[str, str]) -> None:
    """Tells the customers' topic; subscribers choose by the attributes."""
    named: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sns().publish(TopicArn=settings.notices_topic_arn(), Subject=subject, Message=text, MessageAttributes=named)
