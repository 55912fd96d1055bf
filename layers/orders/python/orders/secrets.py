"""Secrets by reference: read from Secrets Manager when first needed, kept for a few minutes."""

from aws_lambda_powertools.utilities import parameters

from orders import settings

KEPT_SECONDS = 300


def signing_key() -> bytes:
    """The key that signs cursors and tracking links."""
    return str(parameters.get_secret(settings.signing_secret_arn(), max_age=KEPT_SECONDS)).encode()


def carrier_secret(carrier: str) -> str:
    """The secret a carrier signs its webhooks with."""
    name = f"{settings.carrier_secrets_prefix()}{carrier}"
    return str(parameters.get_secret(name, max_age=KEPT_SECONDS))
