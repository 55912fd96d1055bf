"""The check that goes through the Pythons of a machine finds each version once, and fails when one of them does."""

import sys
from pathlib import Path

import pytest

from tests import pythons

HERE = f"{sys.version_info.major} {sys.version_info.minor} final"


def a_python(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(pythons, "candidates", _only_in(tmp_path, pythons.candidates))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _only_in(folder: Path, find: object) -> object:
    return lambda: (found for found in find() if found[1].is_relative_to(folder))  # type: ignore[operator]


def test_each_released_version_from_the_oldest_on_is_found_once_and_this_one_not(machine: Path) -> None:
    a_python(machine / "bin" / "python3.95", "3 95 final")
    a_python(machine / "bin" / "python3.97", "3 97 final")
    a_python(machine / "bin" / "python3.98", "3 98 beta")
    a_python(machine / "bin" / "python3.99", "pyenv: version not set", code=127)
    a_python(machine / "bin" / "python3.97-config", "3 97 final")
    a_python(machine / ".pyenv/versions/3.96.1/bin/python3", "3 96 final")
    a_python(machine / ".pyenv/versions/3.97.2/bin/python3", "3 97 final")
    a_python(machine / ".pyenv/versions/3.10.2/bin/python3", "3 10 final")
    a_python(machine / ".pyenv/versions/3.11.0/bin/python3", HERE)
    assert pythons.others() == {
        (3, 96): machine / ".pyenv/versions/3.96.1/bin/python3",
        (3, 97): machine / ".pyenv/versions/3.97.2/bin/python3",
        (3, 95): machine / "bin" / "python3.95",
    }


def test_no_other_python_is_said(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pythons.main([]) == 0
    assert "There is no other Python" in capsys.readouterr().out


def test_one_that_fails_fails_them_all_and_the_others_are_still_run(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for minor in (96, 97, 98):
        a_python(machine / "bin" / f"python3.{minor}", f"3 {minor} final")
    run: list[str] = []

    def passes(name: str, python: Path, arguments: list[str]) -> bool:
        run.append(name)
        return name != "3.97"

    monkeypatch.setattr(pythons, "passes", passes)
    assert pythons.main(["tests/unit"]) == 1
    assert run == ["3.96", "3.97", "3.98"]
    assert "It fails with Python 3.97." in capsys.readouterr().err


def test_a_version_between_two_others_is_asked_less() -> None:
    here = {(3, 11), (3, 12), (3, 13)}
    assert [pythons.asked_of(version, here) for version in sorted(here)] == [
        pythons.SENSITIVE,
        pythons.BETWEEN,
        pythons.SENSITIVE,
    ]
    named = [name.removeprefix("--ignore=") for name in (*pythons.SENSITIVE, *pythons.BETWEEN) if "tests/" in name]
    assert [name for name in named if not (pythons.ROOT / name).exists()] == []
