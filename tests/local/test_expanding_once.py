"""The template is expanded once for all starts, and anew as soon as something changes that it is made from."""

from pathlib import Path

import pytest

from local.common import NotReady
from local.stack import expansion
from local.stack.expansion import Expansion, place_of
from local.stack.settings import ROOT
from local.stack.template import expand

SAMPLE = Path(__file__).parent / "sample" / "template.yaml"


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(expansion, "KEPT", tmp_path / "kept")
    for path in SAMPLE.parent.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / SAMPLE.name


def test_the_second_start_starts_no_translator(template: Path) -> None:
    first = Expansion(template, {})
    made = first.result()
    again = Expansion(template, {})
    assert (again._process, again.result()) == (None, made)
    again.abandon()
    assert made["Resources"]


def test_what_is_another_at_each_start_is_put_in_afterwards() -> None:
    given = {"JwksUrl": "http://127.0.0.1:8123/.local/jwks.json", "EndpointUrl": "http://127.0.0.1:4566", "LogLevel": "ERROR"}
    other = {name: value.replace("127.0.0.1:", "127.0.0.1:1") for name, value in given.items()}
    first, second = Expansion(ROOT / "template.yaml", given).result(), Expansion(ROOT / "template.yaml", other)
    assert second._process is None
    assert first == expand(ROOT / "template.yaml", given)
    assert second.result() == expand(ROOT / "template.yaml", other)


def test_every_part_of_it_makes_another(template: Path) -> None:
    definition = template.with_name("machine.asl.json")
    template.write_text(f"{template.read_text()}\n# DefinitionUri: machine.asl.json\n")
    places = [place_of(template, {}), place_of(template, {"A": "1"}), place_of(template, {}, released=True)]
    definition.write_text("{}")
    places.append(place_of(template, {}))
    template.write_text(f"{template.read_text()}# another line\n")
    places.append(place_of(template, {}))
    assert len(set(places)) == len(places)
    assert place_of(template, {}) == places[-1]


def test_what_cannot_be_expanded_is_not_kept(template: Path) -> None:
    template.write_text("Resources: {Odd: {Type: 'AWS::Serverless::Function', Properties: {}}}\n")
    for _ in range(2):
        with pytest.raises(NotReady, match=r"\[Odd\] is invalid"):
            Expansion(template, {}).result()
    with pytest.raises(NotReady, match="could not be expanded"):
        Expansion(template.with_name("none.yaml"), {}).result()


def test_the_oldest_of_too_many_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "MOST_KEPT", 2)
    for number in range(4):
        expansion.keep(tmp_path / f"{number}.json", "{}")
    assert len(list(tmp_path.iterdir())) == 2
    assert expansion.kept(tmp_path / "3.json") == "{}"
