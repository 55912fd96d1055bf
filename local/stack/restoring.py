"""Restores what the journal stored of an earlier process."""

from __future__ import annotations

from collections.abc import Callable

from local.engine import internals
from local.engine.journal import Journal
from local.stack.deployment import Deployment


def restore_items(journal: Journal, deployment: Deployment, between_items: Callable[[], None]) -> None:
    tables = {name: physical for physical, name in deployment.tables().items()}
    known = internals.part("dynamodb", "_tables")
    key, put = internals.part("dynamodb", "_extract_key_val"), internals.part("dynamodb", "_set_item")
    for name, item in journal.items():
        table = known.get(tables.get(name))
        if table is not None:
            put(table, key(item[table["pk_name"]]), key(item[table["sk_name"]]), item)
            between_items()


def restore_secrets(journal: Journal, deployment: Deployment) -> None:
    """A secret made by the template is made once, not at every start."""
    secrets = deployment.client("secretsmanager")
    for name, made in deployment.of_type("SecretsManager::Secret"):
        secret_id = made["PhysicalResourceId"]
        fresh = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
        kept = journal.keep(f"secret/{name}", fresh)
        if kept != fresh:
            secrets.put_secret_value(SecretId=secret_id, SecretString=kept)
