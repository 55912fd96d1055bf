"""What is committed is there again, and what was delivered is not delivered once more."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from local.engine.journal import Journal, Write


def an_item(sort: str, **fields: str) -> dict[str, dict[str, str]]:
    return {"PK": {"S": "ORDER#1"}, "SK": {"S": sort}, **{name: {"S": text} for name, text in fields.items()}}


def put(sort: str, **fields: str) -> Write:
    return Write("OrdersTable", "ORDER#1", sort, an_item(sort, **fields))


def test_what_was_committed_is_there_at_the_next_start(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        journal.commit([put("ORDER", status="PENDING"), put("EVENT#1")])
        journal.commit([put("ORDER", status="PROCESSING"), Write("OrdersTable", "ORDER#1", "EVENT#1", None)])
    with closing(Journal(tmp_path)) as journal:
        assert list(journal.items()) == [("OrdersTable", an_item("ORDER", status="PROCESSING"))]


def test_a_deletion_and_a_write_of_one_request_end_as_the_last_of_them(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        journal.commit([Write("OrdersTable", "ORDER#1", "ORDER", None), put("ORDER", status="NEW")])
        journal.commit([put("EVENT#1"), Write("OrdersTable", "ORDER#1", "EVENT#1", None)])
        assert [item["SK"]["S"] for _, item in journal.items()] == ["ORDER"]


def test_records_wait_for_their_feed_until_it_is_done_with_them(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        first, second = journal.commit([put("EVENT#1")], [("Feed", {"n": 1}), ("Feed", {"n": 2})])
        journal.done([first])
    with closing(Journal(tmp_path)) as journal:
        assert journal.outstanding() == [(second, "Feed", {"n": 2})]
        (third,) = journal.commit([], [("Other", {"n": 3})])
        assert third > second


def test_a_secret_stays_what_it_was_at_first(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)) as journal:
        assert journal.keep("key", "first") == "first"
    with closing(Journal(tmp_path)) as journal:
        assert journal.keep("key", "second") == "first"


def test_two_stacks_do_not_share_a_folder(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)), pytest.raises(RuntimeError, match="in use"):
        Journal(tmp_path)


def test_nobody_else_reads_the_folder(tmp_path: Path) -> None:
    Journal(tmp_path / "data").close()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
