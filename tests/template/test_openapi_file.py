"""The description is valid, and what is committed of it, for who reads it without a running stack, is what the code gives."""

import json
from pathlib import Path

import jsonschema_rs
from schemathesis.specs.openapi.definitions import OPENAPI_31

from orders.web import openapi

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_description_is_the_code_s() -> None:
    same = json.loads(COMMITTED.read_text(encoding="utf-8")) == json.loads(json.dumps(openapi.document()))
    assert same, "docs/openapi.json differs from the code: make openapi"


def test_the_description_is_valid_openapi_31() -> None:
    assert [error.message for error in jsonschema_rs.validator_for(OPENAPI_31).iter_errors(openapi.document())] == []
