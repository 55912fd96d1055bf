"""What a text may say about a person, marked at its field: ``repr`` and so the logs, storage and erasure read the mark.

A field that holds text and has no mark fails a test. An enumeration, an id type and another dataclass need none.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

Value = TypeVar("Value")

ERASED = "(erased)"


class Privacy(Enum):
    """What a field holds, and what an erasure of personal data makes of it.

    Of the fields with a mark, a ``repr`` shows those that are ``IMPERSONAL`` only.
    """

    PERSONAL = "personal"
    """A person's name, address or text: an erasure replaces it by a placeholder."""
    FORGOTTEN = "forgotten"
    """Personal as well, and nothing takes its place."""
    BY_NAME = "by name"
    """Facts, of which each is personal or not by its own name: see ``facts``."""
    HIDDEN = "hidden"
    """A credential of the workflow service, or what a later release has written: it is kept and never shown."""
    IMPERSONAL = "impersonal"
    """What accounts need. An id is a pseudonym: the account it belongs to is the user pool's."""


Personal = Annotated[str, Privacy.PERSONAL]
Forgotten = Annotated[str, Privacy.FORGOTTEN]
Hidden = Annotated[str, Privacy.HIDDEN]
Impersonal = Annotated[str, Privacy.IMPERSONAL]

GOES = frozenset({Privacy.PERSONAL, Privacy.FORGOTTEN, Privacy.BY_NAME})


@cache
def marks(kind: type) -> Mapping[str, Privacy]:
    """The mark of each field that has one."""
    hints = get_type_hints(kind, include_extras=True)
    found = {one.name: mark_of(hints[one.name]) for one in fields(kind)}
    return MappingProxyType({name: mark for name, mark in found.items() if mark})


def mark_of(hint: Any) -> Privacy | None:
    """The mark in a type, such as that of ``Personal | None``."""
    own = (part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Privacy))
    return next(own, None) or next((mark for part in get_args(hint) if (mark := mark_of(part))), None)


def names(kind: type, among: frozenset[Privacy] = GOES) -> tuple[str, ...]:
    """The fields that an erasure touches, or those with other marks."""
    return tuple(name for name, mark in marks(kind).items() if mark in among)


def erased(value: Value) -> Value:
    """The value without what is personal, in it and in all that it holds."""
    if isinstance(value, tuple):
        return type(value)(map(erased, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return replace(value, **{one.name: _left(one, value) for one in fields(value)})


def _left(one: Field[Any], value: Any) -> Any:
    kind: type = type(value)
    found, mark = getattr(value, one.name), marks(kind).get(one.name)
    is_required = one.default is MISSING and one.default_factory is MISSING
    match mark:
        case None:
            return erased(found)
        case Privacy.PERSONAL:
            return ERASED if found else found
        case Privacy.FORGOTTEN if is_required:
            raise TypeError(f"{kind.__name__}.{one.name} has no default that could be left of it")
        case Privacy.FORGOTTEN:
            return one.default if one.default_factory is MISSING else one.default_factory()
        case _:
            return found


def guarded(kind: type[Value]) -> type[Value]:
    """Gives a dataclass a ``repr`` without what is personal or hidden: whatever is logged may hold one."""

    own: type = kind

    def represented(self: Any) -> str:
        seen = (one.name for one in fields(self) if marks(own).get(one.name, Privacy.IMPERSONAL) is Privacy.IMPERSONAL)
        return f"{own.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in seen)})"

    kind.__repr__ = represented  # type: ignore[method-assign]
    return kind
