"""The languages that customers are written to in, and which of them a reader gets."""

import re

NAMES = {"en": "English", "de": "Deutsch", "fr": "Français", "ar": "العربية"}
"""Each by its own name; the first one is for everybody whose language is none of them."""
LANGUAGES = tuple(NAMES)
RIGHT_TO_LEFT = frozenset({"ar"})

_TAG = re.compile(r"([A-Za-z]{2})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}))?(?:[-_].*)?")
"""Of a tag such as ``de-AT`` or ``zh-Hans-CN``: its language, its script and its region."""


def language_of(tag: str | None) -> str:
    """The language of a tag such as ``de-AT`` if it is one of ours, else the first of ours."""
    return (known(tag) or LANGUAGES[0]).partition("-")[0]


def known(tag: str | None) -> str | None:
    """A tag as its language and region, where the language is one of ours."""
    found = _TAG.fullmatch((tag or "").strip())
    if found is None or found[1].lower() not in LANGUAGES:
        return None
    return found[1].lower() + (f"-{found[3].upper()}" if found[3] else "")


def direction_of(tag: str) -> str:
    """Which way a language is written, as HTML has it."""
    return "rtl" if language_of(tag) in RIGHT_TO_LEFT else "ltr"


def preferred(*tags: str | None, accepted: str = "") -> str:
    """The first tag in one of our languages, then the best of an ``Accept-Language`` header, then the first of ours."""
    offered = (*tags, *_by_weight(accepted))
    return next((tag for tag in map(known, offered) if tag), LANGUAGES[0])


def _by_weight(accepted: str) -> list[str]:
    """The tags of an ``Accept-Language`` header, the most wanted first; what is not wanted at all is left out."""
    weighed = [(_weight(parameters), tag) for tag, _, parameters in (one.partition(";") for one in accepted.split(","))]
    return [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0]


def _weight(parameters: str) -> float:
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameters)
    return float(found[1]) if found else 1.0
