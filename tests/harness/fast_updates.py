"""Update expressions in moto, without what it does again and again.

Most of the product's updates set and remove whole attributes, or add to numbers, and nothing else: they are carried out as
that. moto copies the parsed expression, walks through it ten times and measures the row again for each attribute. What is not
as plain, or would be refused, goes moto's own way: ``test_fast_moto.py`` compares.
"""

import copy
import functools
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing import ast_nodes, expressions
from moto.dynamodb.parsing.executors import UpdateExpressionExecutor
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords
from moto.dynamodb.parsing.validators import (
    ActionCountValidator,
    OverlappingPathsValidator,
    UpdateExpressionValidator,
    Validator,
)

_nodes: Any = ast_nodes  # these two modules have no types
_parsers: Any = expressions
DepthFirstTraverser, Node = _nodes.DepthFirstTraverser, _nodes.Node
UpdateExpressionParser = _parsers.UpdateExpressionParser
OF_THE_WHOLE: tuple[Any, ...] = (ActionCountValidator, OverlappingPathsValidator)
"""The checks of a whole expression: what they find in a part of it they find in the whole too."""

ZERO = DynamoType({"N": "0"})
LARGEST = 405_000
"""moto's own limit of an item's size in bytes."""
REPLACED: dict[Any, tuple[str, ...]] = {
    DepthFirstTraverser: ("traverse",),
    Node: ("find_clauses",),
    UpdateExpressionExecutor: ("execute",),
    UpdateExpressionParser: ("make",),
}
MADE: tuple[tuple[Any, str], ...] = (
    (Node, "__deepcopy__"),
    *((one, "traverse") for one in OF_THE_WHOLE),
    *((UpdateExpressionValidator, name) for name in ("__init__", "validate")),
)

NAME = r"(?:#\w+|[A-Za-z_]\w*)"
SET = rf"SET {NAME} = :\w+(?:, {NAME} = :\w+)*"
REMOVE = rf"REMOVE {NAME}(?:, {NAME})*"
ADD = rf"ADD {NAME} :\w+(?:, {NAME} :\w+)*"
PLAIN = re.compile(rf"{SET}(?: {REMOVE})?|{REMOVE}|{ADD}", re.ASCII)


class Texts(NamedTuple):
    """What a plain expression does, as it is written."""

    values: tuple[tuple[str, str], ...]
    """The names with the values that they are set to, or that are added to them."""
    is_sum: bool
    removed: tuple[str, ...]


@functools.cache
def texts_of(expression: str) -> Texts | None:
    """None unless it is plain."""
    if not PLAIN.fullmatch(expression):
        return None
    assigned, _, removed = expression.partition("REMOVE ")
    pairs = tuple(re.findall(rf"({NAME}) (?:= )?(:\w+)", assigned.removeprefix("SET ").removeprefix("ADD ")))
    names = tuple(removed.split(", ")) if removed else ()
    written = {*(name for name, _ in pairs), *names}
    if any(name.upper() in ReservedKeywords.get_reserved_keywords() for name in written):
        return None
    return Texts(pairs, expression.startswith("ADD "), names)


@dataclass(frozen=True)
class Update:
    """The attributes that are set, with their values, and those that are removed."""

    assigned: dict[str, DynamoType]
    removed: tuple[str, ...]

    def normalize(self) -> None:
        """moto asks for it; there is nothing to put in order."""

    def carry_out(self, item: Any) -> None:
        """Changes the row in place."""
        for name, value in self.assigned.items():
            dict.__setitem__(item.attrs, name, value)
        for name in self.removed:
            item.attrs.pop(name, None)


def update_plainly(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone, plain updates go the short way."""
    execute: Any = vars(UpdateExpressionExecutor)["execute"]

    def made(self: Any, expression: Any, **given: Any) -> None:
        self.update = _update(getattr(expression, "texts", None), **given)
        if self.update is None:
            Validator.__init__(self, expression, **given)

    def validated(self: Any) -> Any:
        return self.update or Validator.validate(self)

    def executed(self: Any, node: Any = None) -> None:
        if isinstance(self.update_ast, Update):
            self.update_ast.carry_out(self.item)
        else:
            execute(self, node)

    patch.setattr(UpdateExpressionValidator, "__init__", made, raising=False)
    patch.setattr(UpdateExpressionValidator, "validate", validated, raising=False)
    patch.setattr(UpdateExpressionExecutor, "execute", executed)


def _update(
    texts: Texts | None, *, expression_attribute_names: Any, expression_attribute_values: Any, item: Any, table: Any
) -> Update | None:
    names, values = expression_attribute_names or {}, expression_attribute_values or {}
    if texts is None or not all(value in values for _, value in texts.values):
        return None
    written = [*(name for name, _ in texts.values), *texts.removed]
    if not all(name in names for name in written if name.startswith("#")):
        return None
    meant: list[str] = [names.get(name, name) for name in written]
    if len({*meant}) < len(meant) or {*meant} & {*table.table_key_attrs}:
        return None
    assigned = {name: DynamoType(values[value]) for name, (_, value) in zip(meant, texts.values, strict=False)}
    if texts.is_sum:
        found = {name: item.attrs.get(name, ZERO) for name in assigned}
        if any(value.type != "N" for value in (*found.values(), *assigned.values())):
            return None
        assigned = {name: found[name] + value for name, value in assigned.items()}
    # Of what an index is made of the type is checked, and that it is not empty.
    if any(assigned[name].type != "S" or not assigned[name].value for name in {*table.attribute_keys} & assigned.keys()):
        return None
    grown: int = item.size() + sum(len(name.encode()) + value.size() for name, value in assigned.items())
    return Update(assigned, tuple(meant[len(texts.values) :])) if grown <= LARGEST else None


# --- every update ---


def _parse_once(patch: pytest.MonkeyPatch) -> None:
    """moto parses an expression twice for each update, and checks a deep copy of what it has parsed."""
    its_own = vars(UpdateExpressionParser)["make"].__func__

    @functools.cache
    def parsed(text: str) -> Any:
        tree = its_own(UpdateExpressionParser, text)
        tree.texts = texts_of(text)
        return tree

    patch.setattr(UpdateExpressionParser, "make", staticmethod(parsed))
    patch.setattr(Node, "__deepcopy__", lambda node, _: _copied_node(node), raising=False)


def _copied_node(node: Any) -> Any:
    made = copy.copy(node)
    if node.children is not None:
        made.children = [_copied_node(child) if _is(Node, type(child)) else child for child in node.children]
        for child in made.children:
            if _is(Node, type(child)):
                child.parent = made
    return made


def _walk_by_type(patch: pytest.MonkeyPatch) -> None:
    """moto asks each node for its abstract classes, with each of ten checks; two checks of the whole expression it repeats for
    each part.
    """
    traverse = DepthFirstTraverser.traverse

    def of_the_whole(check: Any, node: Any) -> Any:
        ((_, act),) = check._processing_map().items()
        try:
            return act(node)
        except Exception:  # noqa: BLE001 - a part may be refused before the whole, in other words
            return traverse(check, node)

    patch.setattr(DepthFirstTraverser, "traverse", lambda check, node: _Walk(check).through(node))
    for check in OF_THE_WHOLE:
        patch.setattr(check, "traverse", of_the_whole, raising=False)
    patch.setattr(Node, "find_clauses", _found_clauses)


class _Walk:
    """One check's way through an expression."""

    def __init__(self, check: Any) -> None:
        self.processing: list[tuple[type, Any]] = list(check._processing_map().items())
        is_its_own = type(check).pre_processing_of_child is not DepthFirstTraverser.pre_processing_of_child
        self.before = check.pre_processing_of_child if is_its_own else None

    def through(self, node: Any, place: int = -1) -> Any:
        kind = type(node)
        if not _is(Node, kind):
            return node
        parent = node.parent
        for number, child in enumerate(node.children or ()):
            if self.before:
                self.before(node, number)
            self.through(child, number)
        for wanted, act in self.processing:
            if _is(wanted, kind):
                node = act(node)
                node.parent = parent
                if parent:
                    parent.children[place] = node
                break
        return node


def _found_clauses(node: Any, kinds: list[type]) -> list[Any]:
    found = []
    for child in node.children or ():
        kind = type(child)
        if kind in kinds:
            found.append(child)
        elif _is((_nodes.Expression, _nodes.UpdateExpressionFunction), kind):
            found += _found_clauses(child, kinds)
    return found


_is: Any = functools.cache(lambda wanted, kind: issubclass(kind, wanted))


SHORT_WAYS = (_parse_once, update_plainly, _walk_by_type)
