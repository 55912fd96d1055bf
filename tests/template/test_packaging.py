"""What is built and pinned in more than one place is the same in each."""

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_makefile_starts_with_the_uv_that_the_lock_names() -> None:
    pinned = next(d for d in PROJECT["dependency-groups"]["dev"] if d.startswith("uv=="))
    assert f"UV_VERSION := {pinned.removeprefix('uv==')}\n" in MAKEFILE
    assert (ROOT / "tools/uv.in").read_text(encoding="utf-8").strip() == pinned


def test_the_lock_takes_everything_from_the_default_index() -> None:
    sources = {str(package["source"]) for package in LOCK["package"] if package["name"] != PROJECT["project"]["name"]}
    assert len(sources) == 1
    assert "registry" in sources.pop()


def test_a_layer_is_built_from_hashes_alone() -> None:
    for requirements in ROOT.glob("layers/*/requirements.txt"):
        text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:", line), line


def test_a_tool_is_installed_from_hashes_alone() -> None:
    wanted = {path.stem: path.read_text(encoding="utf-8").split() for path in ROOT.glob("tools/*.in")}
    assert wanted.keys() == {path.stem for path in ROOT.glob("tools/*.txt")}
    assert wanted.keys() == {"checkov", "clients", "pip-audit", "runtime", "sam", "uv"}
    for name, pinned in wanted.items():
        lines = (ROOT / f"tools/{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        assert all(any(line.startswith(f"{one} ") for line in lines) for one in pinned), f"{name}: make lock"
        for line in lines:
            assert re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:", line), line


def test_the_linter_of_the_pages_is_installed_from_hashes_alone() -> None:
    folder = ROOT / "tools/pages"
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert locked.pop("")["devDependencies"] == wanted
    assert wanted == {name: locked[f"node_modules/{name}"]["version"] for name in wanted}
    for name, package in locked.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, f"{name}: from which registry it comes is the machine's own setting"


def test_nothing_is_installed_beside_the_locks() -> None:
    """Every way of installing that a recipe could take, and what makes it look at hashes."""
    makefiles = [ROOT / "Makefile", *ROOT.glob("layers/*/Makefile"), *ROOT.glob("functions/Makefile")]
    for path in makefiles:
        lines = [line for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines() if line.startswith("\t")]
        assert not [line for line in lines if re.search(r"\buvx\b|tool run|pipx|--with[ =]", line)], path
        assert not [
            line for line in lines if re.search(r"\bnpx\b|npm (install|i|add|exec)\b(?!.*--package-lock-only)", line)
        ], path
        for line in lines:
            if re.search(r"pip (install|sync)\b", line):
                assert "--require-hashes" in line, line
            if re.search(r"\(UV\) (sync|export)\b", line):
                assert "--frozen" in line, line


def test_a_layer_is_built_under_the_name_the_template_calls_it_by() -> None:
    makefiles = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("layers/*/Makefile"))
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    declared = re.findall(r"^  (\w+):\n    Type: AWS::Serverless::LayerVersion", template, re.MULTILINE)
    assert sorted(re.findall(r"^build-(\w+):", makefiles, re.MULTILINE)) == sorted(declared)
