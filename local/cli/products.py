"""`orders products`: lists the catalog with what is on hand, reserved and sold; writes the products of a CSV file to it."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.cli.client import Api, Refused, url_of
from local.cli.rendering import money, print_json, print_table, words
from local.people import ADMIN

FIGURES = ("stock", "reserved", "on_hand", "sold")
COLUMNS = ("product_id", "name", "amount", "currency", "stock")
AT_ONCE = 8
BUSY, ATTEMPTS = (429, 503), 6


@dataclass(frozen=True)
class Row:
    """A product as the file has it, by the line on which it ends; ``problem`` is why it cannot be sent."""

    line: int
    product_id: str
    body: dict[str, Any]
    problem: str | None = None


def register(commands: Any, remote: Callable[..., argparse.ArgumentParser]) -> None:
    command = remote(commands, "products", "list the catalog, or write the products of a CSV file to it", list_catalog)
    kinds = command.add_subparsers(metavar="list | import")
    remote(kinds, "list", "what is there of each product (the default)", list_catalog)
    importing = remote(kinds, "import", "write the products of a CSV file", import_file)
    importing.add_argument(
        "file",
        type=Path,
        metavar="FILE.csv",
        help=f"with the columns {', '.join(COLUMNS)}; amount in minor units. A row of a file is imported once: "
        "running it again changes nothing, whatever was sold since",
    )
    importing.add_argument("--again", action="store_true", help="import rows that are imported already too")


def list_catalog(options: argparse.Namespace) -> int:
    """Prints what is there of each product."""
    found = list(_pages(Api(url_of(options.url)).signed_in(ADMIN.subject, ADMIN.groups)))
    if options.json:
        print_json(found)
    else:
        print_table(
            ["Product", *map(words, FIGURES), "Price", "Name"],
            [
                [one["product_id"], *(str(one[name]) for name in FIGURES), money(one["unit_price"]), one["name"]]
                for one in found
            ],
        )
    return 0


def _pages(api: Api) -> Iterator[dict[str, Any]]:
    path: str | None = "/stock?limit=100"
    while path:
        page = api.call("GET", path)
        yield from page["products"]
        path = f"/stock?limit=100&cursor={quote(page['next_cursor'])}" if page["next_cursor"] else None


def rows(text: str) -> Iterator[Row]:
    """The rows of a file; raises ``SystemExit`` for one without the columns."""
    reader = csv.DictReader(text.splitlines())
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise SystemExit(f"orders: the first line has to name the columns {', '.join(COLUMNS)}; missing: {', '.join(missing)}")
    seen: dict[str, int] = {}
    for found in reader:
        row = _row(reader.line_num, found)
        if row.problem is None and (first := seen.setdefault(row.product_id, row.line)) != row.line:
            row = Row(row.line, row.product_id, {}, f"product_id: is on line {first} too")
        yield row


def _row(line: int, found: dict[str, Any]) -> Row:
    product_id = found["product_id"] or ""
    numbers = {name: (found[name] or "").strip() for name in ("amount", "stock")}
    bad = [f"{name}: {text!r} is not a whole number" for name, text in numbers.items() if not text.isdecimal()]
    if None in found:
        bad.append("has more fields than there are columns")
    if bad or not product_id:
        return Row(line, product_id, {}, "; ".join(bad or ["product_id: is missing"]))
    price = {"amount": int(numbers["amount"]), "currency": found["currency"] or ""}
    return Row(line, product_id, {"name": found["name"] or "", "unit_price": price, "stock": int(numbers["stock"])})


def send(api: Api, file: str | None, row: Row) -> str | None:
    """Writes one product; returns why it was refused, if it was. ``file`` identifies the file that each row counts once of."""
    if row.problem:
        return row.problem
    headers = {"idempotency-key": f"import-{file}-{row.line}"} if file else {}
    body, path = json.dumps(row.body).encode(), f"/products?product_id={quote(row.product_id, safe='')}"
    for attempt in range(ATTEMPTS):
        try:
            api.send("PUT", path, body, headers)
        except Refused as refusal:
            if refusal.status in (401, 403):
                raise
            if refusal.status not in BUSY or attempt == ATTEMPTS - 1:
                return str(refusal)
            time.sleep(0.2 * 2**attempt)
        else:
            return None
    return None


def import_file(options: argparse.Namespace) -> int:
    try:
        content = options.file.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        why = failure.strerror if isinstance(failure, OSError) else "it is not UTF-8"
        raise SystemExit(f"orders: {options.file} cannot be read: {why}") from None
    found = list(rows(text))
    api = Api(url_of(options.url)).signed_in(ADMIN.subject, ADMIN.groups)
    file = None if options.again else hashlib.sha256(content).hexdigest()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = list(_with_progress(pool.map(partial(send, api, file), found), len(found)))
    bad = [(row, problem) for row, problem in zip(found, problems, strict=True) if problem]
    for row, problem in bad:
        print(f"line {row.line} ({row.product_id or 'no product_id'}): {problem}", file=sys.stderr)
    print(f"{len(found) - len(bad)} of {len(found)} products imported" + (f", {len(bad)} refused" if bad else ""))
    return 1 if bad else 0


def _with_progress(results: Iterator[str | None], total: int) -> Iterator[str | None]:
    """The results as they come, with a line about them: rewritten on a terminal, elsewhere one for each tenth and second."""
    on_terminal, step, told = sys.stderr.isatty(), max(1, total // 10), time.monotonic()
    for done, result in enumerate(results, 1):
        if on_terminal or done % step == 0 or done == total or time.monotonic() - told > 1:
            told = time.monotonic()
            end = "\n" if not on_terminal or done == total else ""
            print(
                f"\r{done} of {total} rows" if on_terminal else f"{done} of {total} rows", end=end, file=sys.stderr, flush=True
            )
        yield result
