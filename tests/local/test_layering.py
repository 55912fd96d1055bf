"""The packages of the local stack import one way down."""

from __future__ import annotations

from pathlib import Path

import grimp

import local

ORDER = (
    {"cli"},
    {"stack"},
    {"api_gateway", "event_bus", "fastpath"},
    {"engine"},
    {"step_functions"},
    {"lambda_runtime"},
    {"ports", "fastpath.fast_json", "fastpath.pool", "fastpath.switch"},
    {"common", "documents", "people"},
)
"""From top to bottom; a part of the fast path that has a place of its own may be used from all above it."""
PLACES = {room: place for place, rooms in enumerate(ORDER) for room in rooms}


def place(module: str) -> int:
    room = module.removeprefix("local.")
    return PLACES[room] if room in PLACES else PLACES[room.partition(".")[0]]


def is_up(importer: str, imported: str) -> bool:
    """Whether the import leads up, or across to a neighbor."""
    same = importer.split(".")[1] == imported.split(".")[1]
    return not same and place(imported) <= place(importer)


def test_no_import_leads_up() -> None:
    graph = grimp.build_graph("local", cache_dir=None)
    modules = graph.modules - {"local"}
    imports = {(importer, imported) for importer in modules for imported in graph.find_modules_directly_imported_by(importer)}
    assert {("local.engine.changes", "local.engine.journal"), ("local.stack.stack", "local.engine.patches")} <= imports
    assert [edge for edge in sorted(imports) if edge[1] != "local" and is_up(*edge)] == []


def test_what_leads_up_or_across_is_told() -> None:
    assert is_up("local.engine.journal", "local.fastpath.spill")
    assert is_up("local.event_bus.bus_policy", "local.api_gateway.keys")
    assert not is_up("local.engine.journal", "local.fastpath.fast_json")


def test_every_package_is_told_of_in_the_readme() -> None:
    folder = Path(local.__file__).parent
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert packages == {line.split("`")[1].rstrip("/") for line in readme.splitlines() if line.startswith("| `")}
