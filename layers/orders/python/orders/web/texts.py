"""What a text in a request's body may be, and what each body is made of."""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from orders.domain import limits
from orders.domain.identifiers import CustomerId, OrderId
from orders.domain.order import moment

_BIDIRECTIONAL = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""They let a text read otherwise than it is written."""


def _readable(text: str) -> str:
    """No control characters, line breaks or text that runs backwards; what scripts need to be written well stays allowed."""
    if _BIDIRECTIONAL.search(text) or any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must not contain control characters")
    return text


_SAID = Field(json_schema_extra={"pattern": rf"^{limits.PRINTED}*(?!\s){limits.PRINTED}+$"})
"""The same, as far as a schema can say it: nothing but printed characters, and not only white space."""
PRINTED_TEXT = (AfterValidator(_readable), _SAID)


_LINE_BREAKS = str.maketrans("", "", "\t\n\r")


def _legible(text: str) -> str:
    """As ``_readable``, with line breaks."""
    _readable(text.translate(_LINE_BREAKS))
    return text


LEGIBLE = AfterValidator(_legible)
_WRITTEN = r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]"
WRITTEN = Field(json_schema_extra={"pattern": rf"^{_WRITTEN}*$"})
"""The same as a schema, of a text that may be empty."""


def text_of(longest: int) -> StringConstraints:
    """Text of 1 to ``longest`` characters, without white space around it."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest)


Text20 = Annotated[str, text_of(20), *PRINTED_TEXT]
Text56 = Annotated[str, text_of(56), *PRINTED_TEXT]
Text100 = Annotated[str, text_of(100), *PRINTED_TEXT]
Text200 = Annotated[str, text_of(200), *PRINTED_TEXT]
Reason = Annotated[str, text_of(500), *PRINTED_TEXT]


def _moment(text: Any) -> datetime:
    if not isinstance(text, str) or not re.fullmatch(limits.RFC_3339, text, re.ASCII):
        raise ValueError("must be a time with an offset, in the format of RFC 3339")
    try:
        return moment(text.upper())
    except OverflowError:
        raise ValueError("must be a time that can be written in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
LineIdText = Annotated[str, StringConstraints(pattern=limits.ORDER_ID)]
OrderIdText = Annotated[OrderId, StringConstraints(pattern=limits.ORDER_ID)]


def _foreign_id(text: str) -> str:
    if not re.fullmatch(limits.FOREIGN_ID, text):
        raise ValueError("must have printable characters only")
    return text


_ID_OF_OTHERS = (
    StringConstraints(min_length=1, max_length=limits.LONGEST_FOREIGN_ID),
    AfterValidator(_foreign_id),
    Field(json_schema_extra={"pattern": rf"^{limits.PRINTED}+$"}),
)
"""It is stored and returned as it was sent."""
CustomerIdText = Annotated[CustomerId, *_ID_OF_OTHERS]


ForeignId = Annotated[str, *_ID_OF_OTHERS]
Note = Annotated[str, text_of(2000), LEGIBLE, Field(json_schema_extra={"pattern": rf"^{_WRITTEN}*(?!\s){_WRITTEN}+$"})]


class Body(BaseModel):
    """A request's body: exact types, no unknown fields."""

    # Built when first used: a function takes one or two of them, and all together are a tenth of a cold start.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class BadMember(ValueError):
    """A member that is well-formed and does not fit the others."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class MissingPart(ValueError):
    """A part that a body needs beside its others; its path begins with the body's own."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part
