"""The description that is committed, for those who read it without a running stack, is the one that the code gives."""

import json
from pathlib import Path

from orders.web import openapi

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_description_is_the_code_s() -> None:
    same = json.loads(COMMITTED.read_text(encoding="utf-8")) == json.loads(json.dumps(openapi.document()))
    assert same, "docs/openapi.json differs from the code: make openapi"
