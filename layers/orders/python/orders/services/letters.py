"""What a mail says, in the customer's language.

The texts are files, ``mails/<language>/<mail>.txt``: a subject in the first line, then paragraphs with ``$names`` to be filled
in. A paragraph is left out where one of its names has nothing to be filled with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from orders.domain.languages import direction_of
from orders.domain.mails import MailKind
from orders.domain.personal import Forgotten, guarded
from orders.settings import Shop

FOLDER = Path(__file__).parents[1] / "mails"


@guarded
@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in plain text, and the same as HTML."""

    subject: Forgotten | None
    text: Forgotten | None
    html: Forgotten | None


def written(kind: MailKind, language: str, values: Mapping[str, str], shop: Shop) -> Letter:
    """The mail with these values, under the shop's name."""
    known = _isolated({**values, "why": _reasons(language).get(values["reason"], "")}, language)
    subject, _, body = _file(f"{language}/{kind}.txt").partition("\n")
    paragraphs = [one for one in re.split(r"\n{2,}", body.strip()) if _can_be_said(one, known)]
    said = [Template(one).substitute(known) for one in paragraphs]
    markup = [f"      <p>{_as_html(one)}</p>" for one in said]
    signature = "\n".join(part for part in (shop.name, shop.contact) if part)
    return Letter(
        Template(subject).substitute(known),
        "\n\n".join([*said, *([f"-- \n{signature}"] if signature else [])]) + "\n",
        Template(_file("layout.html")).substitute(
            language=language,
            direction=direction_of(language),
            paragraphs="\n".join([*_head(shop), *markup, *_foot(shop)]),
        ),
    )


def _isolated(values: Mapping[str, str], language: str) -> dict[str, str]:
    """In a language that is written from right to left, each value keeps its own direction; an address stays as it is."""
    if direction_of(language) == "ltr":
        return dict(values)
    return {
        name: value if name.endswith("_url") else "\n".join(f"\u2068{line}\u2069" for line in value.splitlines())
        for name, value in values.items()
    }


def _head(shop: Shop) -> list[str]:
    name = escape(shop.name)
    logo = f'<img src="{escape(shop.logo_url)}" alt="{name}" height="40">' if shop.logo_url else f"<strong>{name}</strong>"
    return [f"      <p>{logo}</p>"] if shop.logo_url or name else []


def _foot(shop: Shop) -> list[str]:
    link = f'<a href="{escape(shop.contact_url)}">{escape(shop.contact)}</a>'
    return [f"      <p>{link}</p>"] if shop.contact else []


def _can_be_said(paragraph: str, values: Mapping[str, str]) -> bool:
    return all(values.get(name) for name in Template(paragraph).get_identifiers())


def _as_html(paragraph: str) -> str:
    """A paragraph as markup: its lines stay, and an address by itself on one is a link."""
    lines = (escape(line) for line in paragraph.split("\n"))
    return "<br>\n        ".join(
        f'<a href="{line}">{line}</a>' if re.fullmatch(r"https?://\S+", line) else line for line in lines
    )


@cache
def _file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _reasons(language: str) -> Mapping[str, str]:
    """Why an order was cancelled, in a language: a line ``reason: sentence`` for each."""
    lines = (line.partition(": ") for line in _file(f"{language}/reasons.txt").splitlines())
    return {reason: sentence for reason, _, sentence in lines}
