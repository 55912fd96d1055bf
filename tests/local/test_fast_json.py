"""The faster JSON says what Python's says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.fastpath import fast_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert json.loads(fast_json.dumps(value)) == value
    assert json.loads(fast_json.written(value)) == value
    assert fast_json.copied(value) == json.loads(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", '{"a" 1}'])
def test_what_is_no_json_is_refused_as_python_refuses_it(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as ours:
        fast_json.loads(text)
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    assert str(ours.value) == str(theirs.value)


def test_an_option_of_python_s_is_python_s_business() -> None:
    assert fast_json.dumps({"b": 1, "a": 2}, sort_keys=True) == '{"a": 2, "b": 1}'
    assert fast_json.dumps(datetime(2026, 1, 1, tzinfo=UTC), default=str) == '"2026-01-01 00:00:00+00:00"'
    assert fast_json.loads("[1.5]", parse_float=str) == ["1.5"]


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError):
        fast_json.written(datetime(2026, 1, 1, tzinfo=UTC))
