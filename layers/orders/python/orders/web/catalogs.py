"""The texts of the pages that customers see, in each language: ``catalogs/<language>.json``.

``texts`` are the pages' own, by their keys; a text that depends on a number has a form for each plural category. ``sentences``
are those of the table of sentences, by their English ones, and ``messages`` what a step may have failed with.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from orders.domain import sentences
from orders.domain.languages import LANGUAGES, NAMES, language_of
from orders.domain.steps import WHY_CANCELLED

FOLDER = Path(__file__).parents[1] / "catalogs"


@cache
def catalog(language: str) -> dict[str, Any]:
    """All texts in a language."""
    found: dict[str, Any] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def text(tag: str, key: str) -> str:
    """A text of the pages in the language of a tag."""
    return str(catalog(language_of(tag))["texts"][key])


def modules() -> dict[str, bytes]:
    """The scripts with a language's texts and its table of sentences, by their names."""
    return {f"catalog-{language}.js": _module(language).encode() for language in LANGUAGES}


def _module(language: str) -> str:
    ours = catalog(language)
    # English is the table's own language.
    spoken = ours.get("sentences")
    tables = sentences.for_pages(lambda said: said if spoken is None else spoken[said])
    # Why an order was cancelled is the reason of its refund too.
    messages = spoken and ours["messages"] | {why: spoken[why] for why in WHY_CANCELLED.values()}
    values = {"TABLES": tables | {"languages": NAMES}, "TEXTS": ours["texts"], "MESSAGES": messages}
    return "".join(f"export const {name} = {_script(value)};\n" for name, value in values.items())


def _script(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
