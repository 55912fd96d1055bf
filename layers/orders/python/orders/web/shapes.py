"""What the types of views are made of: the description of the API derives its schemas from them.

Views are ``TypedDict``: a plain dictionary at run time, whose members mypy compares with its class.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, ParamSpec, TypeVar, cast

from orders.domain import limits
from orders.domain.order import timestamp

Value = TypeVar("Value")
Members = ParamSpec("Members")

View = Mapping[str, Any]
"""A view of any type."""


class Keywords:
    """What the schema of a type says besides the type itself."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords


NULL = "null"
Nullable = Annotated[Value | None, NULL]
"""A member that may be left out, and that may be there with nothing in it."""

Id = Annotated[str, Keywords(pattern=limits.ORDER_ID)]
ForeignId = Annotated[str, Keywords(minLength=1, maxLength=limits.LONGEST_FOREIGN_ID, pattern=rf"^{limits.PRINTED}+$")]
Count = Annotated[int, Keywords(minimum=0)]
Version = Annotated[int, Keywords(minimum=1)]
Time = Annotated[str, Keywords(format="date-time", examples=["2026-11-20T12:00:00.000Z"])]
Currency = Annotated[str, Keywords(pattern="^[A-Z]{3}$")]


def when(time: datetime | None) -> Time | None:
    """A time as it is shown, if there is one."""
    return timestamp(time) if time else None


def present(kind: Callable[Members, Value], *_: Members.args, **members: Members.kwargs) -> Value:
    """A view of that type without those of its ``NotRequired`` members that have nothing in them."""
    optional = kind.__optional_keys__  # type: ignore[attr-defined]
    found: dict[str, Any] = {name: value for name, value in members.items() if value is not None or name not in optional}
    return cast(Value, found)
