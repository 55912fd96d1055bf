"""Secrets by reference: read from Secrets Manager when first needed, kept for a few minutes."""

import time
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from orders import settings
from orders.adapters import aws

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 300


@cache
def client() -> "SecretsManagerClient":
    """One client a process."""
    made: SecretsManagerClient = aws.client("secretsmanager", connect_timeout=2, read_timeout=5)
    return made


def signing_key() -> bytes:
    """The key that signs cursors and tracking links."""
    return _read(settings.signing_secret_arn()).encode()


def carrier_secret(carrier: str) -> str:
    """The secret a carrier signs its webhooks with."""
    return _read(f"{settings.carrier_secrets_prefix()}{carrier}")


def _read(name: str) -> str:
    return _read_in(int(time.monotonic() // KEPT_SECONDS), name)


@lru_cache(maxsize=8)
def _read_in(_period: int, name: str) -> str:
    """Read once in each period: a replaced secret is in use everywhere when the period is over."""
    return client().get_secret_value(SecretId=name)["SecretString"]
