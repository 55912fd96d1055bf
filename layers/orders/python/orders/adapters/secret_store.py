"""Secrets by reference: read from Secrets Manager when first needed, kept for a few minutes."""

import os
import time
from functools import cache, lru_cache
from types import MappingProxyType
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


def payment_secret(name: str) -> str:
    """The key that a payment provider knows us by, under its name, or what it signs its webhooks with, ``NAME-webhooks``.

    On a laptop it may stand in the environment instead: ``STRIPE_SECRET_KEY`` and ``STRIPE_WEBHOOK_SECRET``.
    """
    return os.environ.get(_IN_ENVIRONMENT.get(name, ""), "") or _read(f"{settings.payment_secrets_prefix()}{name}")


_IN_ENVIRONMENT = MappingProxyType({"stripe": "STRIPE_SECRET_KEY", "stripe-webhooks": "STRIPE_WEBHOOK_SECRET"})


def _read(name: str) -> str:
    return _read_in(int(time.monotonic() // KEPT_SECONDS), name)


@lru_cache(maxsize=8)
def _read_in(_period: int, name: str) -> str:
    """Read once in each period: a replaced secret is in use everywhere when the period is over."""
    return client().get_secret_value(SecretId=name)["SecretString"]
