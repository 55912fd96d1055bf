"""The tables of ``docs/behavior.md``, for the tests that compare them with the code."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/behavior.md").read_text(encoding="utf-8")

_CODE = re.compile(r"`([^`]+)`")
STAFF = frozenset({"support", "admin"})


def section(anchor: str) -> str:
    """What stands between the heading of that anchor and the next heading."""
    found = re.search(rf'^#+ <a id="{anchor}"></a>.*\n', PAGE, re.MULTILINE)
    assert found, f"docs/behavior.md has no section #{anchor}"
    return re.split(r"^#+ ", PAGE[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def listed(words: str) -> list[str]:
    """The names behind these words, as far as the end of their sentence."""
    assert PAGE.count(words) == 1, f"docs/behavior.md says {words!r} {PAGE.count(words)} times"
    return _CODE.findall(PAGE.partition(words)[2].partition(".")[0])


def rows(anchor: str) -> list[list[str]]:
    """The cells of the section's table, without its head."""
    lines = [line for line in section(anchor).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def transitions(anchor: str) -> dict[str, set[str]]:
    """Which status may follow which, by the section's table."""
    found: dict[str, set[str]] = {}
    for current, following in rows(anchor):
        alike = set(_CODE.findall(current))
        for status in alike:
            others = alike - {status} if "each other" in following else set()
            found[status] = set(_CODE.findall(following)) | others
    return found


def routes() -> dict[str, frozenset[str]]:
    """Who may use each route."""
    found: dict[str, frozenset[str]] = {}
    for key, who, _ in rows("routes"):
        names = frozenset(name.strip() for name in who.split(","))
        found[_CODE.findall(key)[0]] = names - {"staff"} | (STAFF if "staff" in names else frozenset())
    return found
