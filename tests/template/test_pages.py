"""The pages' files are named after their page, preloaded, within the line length, and checked by a linter that works."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orders.domain.statuses import TRANSITIONS, OrderStatus

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "functions/pages"
OURS = {path.name: path.read_text(encoding="utf-8") for path in PAGES.iterdir() if path.is_file()}
MODULES = {name: text for name, text in OURS.items() if name.endswith(".js")}
SERVED = {"catalog-en.js", "catalog-{{language}}.js"}
"""What is made when it is asked for, and is no file here."""

ENTRIES = {"desk": "desk.js", "track": "track.js", "signed-in": "signed-in.js", "docs": "docs.js"}
LINE = 128


def imported(name: str, dynamic: bool) -> Iterator[str]:
    """The modules that one loads; those it loads only when they are needed are left out, unless they are asked for."""
    how = r'(?:from |import\()"\./([\w-]+\.js)"' if dynamic else r'from "\./([\w-]+\.js)"'
    yield from re.findall(how, MODULES.get(name, ""))


def reached(entry: str, dynamic: bool) -> set[str]:
    found: set[str] = set()
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(imported(name, dynamic))
    return found


def test_a_module_is_named_after_its_page_or_shared_by_several() -> None:
    users = {page: reached(entry, dynamic=True) for page, entry in ENTRIES.items()}
    for name in MODULES:
        pages = {page for page, found in users.items() if name in found}
        owner = next((page for page in ENTRIES if re.fullmatch(rf"{page}(-[\w-]+)?\.js", name)), None)
        assert pages == {owner} if owner else len(pages) > 1, f"{name} is loaded by {sorted(pages)}"


@pytest.mark.parametrize("page", ["desk", "track"])
def test_a_page_asks_at_once_for_all_that_it_begins_with(page: str) -> None:
    asked = set(re.findall(r'rel="modulepreload" href="\{\{assets\}\}/([\w{}-]+\.js)"', OURS[f"{page}.html"]))
    assert reached(ENTRIES[page], dynamic=False) - {ENTRIES[page]} - asked == set()
    assert asked - SERVED <= reached(ENTRIES[page], dynamic=True)
    assert asked & SERVED
    assert asked <= MODULES.keys() | SERVED


def test_what_a_module_exports_is_used_by_another() -> None:
    for name, text in MODULES.items():
        others = "\n".join(other for found, other in MODULES.items() if found != name)
        exported = re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", text, re.MULTILINE)
        # A view's `show` is called by desk.js, which imports the view when it is opened.
        assert [one for one in exported if not re.search(rf"\b{one}\b", others)] == [], name


def test_a_style_names_what_a_page_or_a_script_does() -> None:
    used = "\n".join(text for name, text in OURS.items() if name.endswith((".js", ".html")))
    for name, text in OURS.items():
        if name.endswith(".css"):
            classes = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))
            assert {one for one in classes if not re.search(rf"\b{one}\b", used)} == set(), name


def test_the_runbook_sends_people_to_views_that_the_desk_has() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`/admin`, \*([A-Z]\w+)\*", runbook))
    assert named
    assert named <= set(re.findall(r'label: "(\w+)"', MODULES["desk.js"]))


def test_no_line_is_longer_than_those_of_the_python_code() -> None:
    long = [
        f"{name}:{number}"
        for name, text in OURS.items()
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > LINE
    ]
    assert long == []
    assert f"line-length = {LINE}\n" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"printWidth": {LINE},' in (ROOT / "tools/pages/prettier.json").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def eslint() -> list[str]:
    """The linter's command, as ``make lint`` calls it; installed if it was not."""
    make, npm = shutil.which("make"), shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here")
    assert make
    subprocess.run([make, "lint-pages"], cwd=ROOT, check=True, capture_output=True)
    if not (ROOT / ".venv/tools/pages/.ready").exists():
        pytest.skip("npm could not install the linter")
    recipe = subprocess.run([make, "-n", "lint"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    command = re.search(r"node \S+/eslint\.js --config \S+", recipe)
    assert command, "make lint does not call it"
    return command[0].split()


SOUND = 'import { h } from "./dom.js";\n\nexport const title = (words) => h("h1", {}, words);\n'


@pytest.mark.parametrize(
    ("planted", "rule"),
    [
        ("", None),
        ("const forgotten = 1;\n", "no-unused-vars"),
        ("export const also = missing;\n", "no-undef"),
        ("export const show = (host, words) => (host.innerHTML = words);\n", "no-restricted-properties"),
    ],
)
def test_the_linter_finds_a_planted_mistake(eslint: list[str], planted: str, rule: str | None) -> None:
    command = [*eslint, "--stdin", "--stdin-filename", "functions/pages/desk-planted.js"]
    done = subprocess.run(command, cwd=ROOT, input=SOUND + planted, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if rule else 0), done.stdout + done.stderr
    assert re.findall(r"error .* (\S+)\n", done.stdout) == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("module", "table", "statuses"),
    [
        ("desk-words.js", "MOOD", set(TRANSITIONS)),
        ("desk-actions.js", "BY_HAND", set[OrderStatus]().union(*TRANSITIONS.values())),
    ],
)
def test_the_desk_has_a_color_for_every_status_and_a_button_for_every_change(
    module: str, table: str, statuses: set[OrderStatus]
) -> None:
    listed = MODULES[module].partition(f"const {table} = {{")[2].partition("\n};")[0]
    assert set(re.findall(r"^  ([A-Z]+): ", listed, re.MULTILINE)) == {status.value for status in statuses}
