"""What a caller says of an order besides what is ordered: whom to reach, and what they and their own system noted."""

import json
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic.config import JsonDict

from orders.domain import limits
from orders.domain.order import Contact
from orders.web.texts import LEGIBLE, PRINTED_TEXT, WRITTEN, BadMember, Body, text_of


def _email(text: str) -> str:
    if not re.fullmatch(limits.EMAIL, text):
        raise ValueError("must be an e-mail address")
    return text


_ADDRESS = Field(json_schema_extra={"pattern": limits.EMAIL})
Email = Annotated[str, StringConstraints(max_length=limits.LONGEST_EMAIL), AfterValidator(_email), _ADDRESS]
Phone = Annotated[str, text_of(32), *PRINTED_TEXT]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")]
"""A language tag, such as ``de-AT``."""


class ContactBody(Body):
    """How the customer is reached, and in which language."""

    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None

    def contact(self) -> Contact | None:
        """The domain's value, if anything is said."""
        found = Contact(self.email, self.phone, self.locale)
        return found if found != Contact() else None


def _fitting(metadata: Mapping[str, str | None]) -> Mapping[str, str | None]:
    for name in metadata:
        if not re.fullmatch(limits.METADATA_NAME, name):
            raise BadMember(f"metadata.{name[:40]}", "must have a name of 1 to 40 printable characters")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > limits.LARGEST_METADATA:
        raise BadMember("metadata", f"may have {limits.LARGEST_METADATA} bytes at most")
    return metadata


_Value = Annotated[str, StringConstraints(max_length=500), LEGIBLE, WRITTEN]
_NAMES: JsonDict = {"propertyNames": {"minLength": 1, "maxLength": 40, "pattern": rf"^{limits.PRINTED}+$"}}
_MOST = Field(max_length=limits.MOST_METADATA, json_schema_extra=_NAMES)
Metadata = Annotated[dict[str, _Value], _MOST, AfterValidator(_fitting)]
"""A shop's own data: texts by their names."""
MetadataPatch = Annotated[dict[str, _Value | None], _MOST, AfterValidator(_fitting)]
"""The same, as a change of it: ``null`` takes an entry away."""
