"""The only module that talks to SQS and SNS: deliveries held back until they are due, notices to customers."""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from orders import settings

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 4})


@cache
def sqs() -> "SQSClient":
    """One client a process."""
    return boto3.client("sqs", config=_RETRIES)


@cache
def sns() -> "SNSClient":
    """One client a process."""
    return boto3.client("sns", config=_RETRIES)


def owe(webhook_id: str, delivery_id: str, seconds: int) -> None:
    """Queues a delivery to be looked at after so many seconds, 900 at most."""
    body = json.dumps({"webhook_id": webhook_id, "delivery_id": delivery_id})
    sqs().send_message(QueueUrl=settings.webhook_deliveries_url(), MessageBody=body, DelaySeconds=seconds)


def notify(subject: str, text: str, attributes: Mapping[str, str]) -> None:
    """Tells the customers' topic; subscribers choose by the attributes."""
    named: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sns().publish(TopicArn=settings.notices_topic_arn(), Subject=subject, Message=text, MessageAttributes=named)
