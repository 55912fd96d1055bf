"""The catalogs of the customers' pages: each language has every text with its values, and no text stands outside of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orders.adapters.payments.simulated import SimulatedGateway
from orders.domain import languages, sentences
from orders.domain.decisions import ending, reviewing
from orders.domain.languages import LANGUAGES
from orders.web.catalogs import FOLDER, catalog, modules

PAGES = Path(__file__).parents[2] / "functions/pages"
OTHERS = LANGUAGES[1:]
CUSTOMERS = (
    *(
        "address",
        "api",
        "auth",
        "dialog",
        "dom",
        "format",
        "language",
        "live",
        "refunds",
        "returns",
        "signed-in",
        "timeline",
        "words",
    ),
    *("track", "track-actions", "track-view"),
)
"""The scripts of the pages that customers see."""

CATEGORIES = {
    "en": {"one", "other"},
    "de": {"one", "other"},
    "fr": {"one", "many", "other"},
    "ar": {"zero", "one", "two", "few", "many", "other"},
}
"""The plural categories of each language, as Unicode's CLDR has them; tests/e2e/pages compares them with the browser's."""

Text = str | dict[str, str]


def texts(language: str) -> dict[str, Text]:
    found: dict[str, Text] = catalog(language)["texts"]
    return found


def values(text: Text) -> set[str]:
    said = text if isinstance(text, str) else text["other"]
    return set(re.findall(r"\{(\w+)\}", said))


def spoken() -> set[str]:
    """Every sentence of the table that a page may show."""
    found: set[str] = set()

    def note(said: str) -> str:
        found.add(said)
        return said

    sentences.for_pages(note)
    return found


def test_there_is_a_catalog_for_each_language_and_no_other() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(LANGUAGES) == CATEGORIES.keys()
    assert modules().keys() == {f"catalog-{language}.js" for language in LANGUAGES}


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_every_text_and_sentence_with_the_same_values(language: str) -> None:
    ours, english = texts(language), texts("en")
    assert ours.keys() == english.keys()
    assert [key for key in english if values(ours[key]) != values(english[key])] == []
    told = catalog(language)["sentences"]
    assert told.keys() == spoken()
    assert [said for said in told if values(told[said]) != values(said)] == []
    assert all([*told.values(), *ours.values()])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_that_counts_has_a_form_for_each_plural_of_its_language(language: str) -> None:
    counting = {key for key, text in texts("en").items() if isinstance(text, dict)}
    assert counting
    for key in counting:
        forms = texts(language)[key]
        assert isinstance(forms, dict)
        assert forms.keys() == CATEGORIES[language], key
        # One and two may be words of their own.
        assert all(values(forms["other"]) - values(form) <= {"count"} for form in forms.values()), key


@pytest.mark.parametrize("language", OTHERS)
def test_what_a_step_of_ours_fails_with_is_known_in_every_language(language: str) -> None:
    ours = {ending.NOT_DELIVERED, reviewing.REJECTED, *SimulatedGateway._REFUSALS.values()}
    assert ours <= catalog(language)["messages"].keys()


def literals(script: str) -> Iterator[str]:
    """The strings of a script that could be words for people: without comments, imports, classes and names of events."""
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", script, flags=re.DOTALL | re.MULTILINE)
    code = re.sub(
        r"^import .*?;$|class: (\"[^\"]*\"|`[^`]*`)|querySelector(All)?\([^)]*\)|matchMedia\([^)]*\)",
        "",
        code,
        flags=re.DOTALL | re.MULTILINE,
    )
    for double, template in re.findall(r"\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`", code):
        yield double or re.sub(r"\$\{[^{}]*(\{[^{}]*\})?[^{}]*\}", "", template)


WORDS = re.compile(r"(?<![a-z])[A-Z][a-z]+|[a-z]{2,}[,.:;?!]? [a-z]{2,}|[a-z]+ [a-z]+\.$")
NOT_FOR_PEOPLE = {"Bearer ", "main danger", "noopener noreferrer", "openid email", "pieces of "}


@pytest.mark.parametrize("name", CUSTOMERS)
def test_no_script_of_the_customers_pages_has_words_of_its_own(name: str) -> None:
    script = (PAGES / f"{name}.js").read_text(encoding="utf-8")
    assert [said for said in literals(script) if WORDS.search(said) and said not in NOT_FOR_PEOPLE] == []


@pytest.mark.parametrize("name", ["track", "signed-in", "refused", "unsubscribe"])
def test_no_customers_page_has_words_of_its_own(name: str) -> None:
    markup = (PAGES / f"{name}.html").read_text(encoding="utf-8")
    shown = re.sub(r"<[^>]*>|\{\{[\w.]+\}\}", "", markup)
    assert shown.split() == []
    assert '<html lang="{{lang}}" dir="{{dir}}">' in markup


def test_words_in_a_script_or_page_would_be_found() -> None:
    planted = 'h("p", { class: "small quiet" }, "Are you sure?"), h("b", {}, `by ${name} or you`), t("order.total")'
    assert [said for said in literals(planted) if WORDS.search(said)] == ["Are you sure?", "by  or you"]
    assert WORDS.search("to change, cancel or return it.")
    assert WORDS.search("just now")


def test_every_text_is_used_and_every_used_one_is_there() -> None:
    scripts = [(PAGES / f"{name}.js").read_text(encoding="utf-8") for name in CUSTOMERS]
    markup = [path.read_text(encoding="utf-8") for path in PAGES.glob("*.html")]
    named = {key for text in scripts for key in re.findall(r"\"([a-z]\w*(?:\.\w+)*)\"", text)}
    named |= {key for text in markup for key in re.findall(r"\{\{(\w+\.[\w.]+)\}\}", text)}
    computed = ("address.", "fresh.", "problem.", "refund.", "refused.", "unsubscribe.", "page.", "contact")
    assert [key for key in texts("en") if key not in named and not key.startswith(computed)] == []
    asked = {key for text in scripts for key in re.findall(r"\b(?:t|pieces)\(\"([^\"]+)\"", text)}
    assert asked <= texts("en").keys()


@pytest.mark.parametrize("name", ["base", "track"])
def test_the_customers_style_sheets_know_no_left_and_right(name: str) -> None:
    sheet = (PAGES / f"{name}.css").read_text(encoding="utf-8")
    assert re.findall(r"\b(?:left|right)\b", sheet) == []


@pytest.mark.parametrize(
    ("tags", "accepted", "expected"),
    [
        ((None, None), "", "en"),
        ((None, "de-AT"), "ar,en;q=0.5", "de-AT"),
        (("ar", "de-AT"), "en", "ar"),
        (("xx", None), "nl, fr-CA;q=0.8, en;q=0.9", "en"),
        ((None, None), "nl;q=1, ar-EG;q=0.8, en;q=0.3", "ar-EG"),
        ((None, None), "de;q=0, *;q=0.1, ar;q=0.001", "ar"),
        ((None, "de_CH"), "", "de-CH"),
        ((None, "fr-Latn-fr-x-private"), "", "fr-FR"),
        ((None, '"><script>'), ";;q=,,-,;q=9", "en"),
    ],
)
def test_the_reader_s_language_is_the_first_of_ours(tags: tuple[str | None, ...], accepted: str, expected: str) -> None:
    assert languages.preferred(*tags, accepted=accepted) == expected
    assert languages.direction_of(expected) == ("rtl" if expected.startswith("ar") else "ltr")
