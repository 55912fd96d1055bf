"""What bodies are made of: amounts, addresses, whom to reach, and what a caller and their own system have noted."""

import json
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from orders.domain import limits
from orders.domain.address import Address, Contact
from orders.domain.money import Money
from orders.web import addresses
from orders.web.texts import (
    LEGIBLE,
    PRINTED_TEXT,
    WRITTEN,
    BadMember,
    Body,
    MissingPart,
    Text20,
    Text56,
    Text100,
    Text200,
    text_of,
)

MOST_LINES, MOST_PRODUCTS = 100, 90
"""A transaction that reserves an order's stock has an action for each product, and a hundred at most."""
MOST_PIECES = 10_000


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


class AddressBody(Body):
    """Where the parcel goes; ``country`` is a code of two letters or an English name, and decides what else is needed."""

    name: Text100
    company: Text100 | None = None
    line1: Text200
    line2: Text200 | None = None
    city: Text100 | None = None
    region: Text100 | None = None
    postal_code: Text20 | None = None
    country: Text56
    phone: Phone | None = None

    def address(self) -> Address:
        """The domain's value."""
        parts = self.model_dump()
        return Address(**parts | {"city": self.city or "", "postal_code": self.postal_code or ""})

    @model_validator(mode="after")
    def _is_whole(self) -> "AddressBody":
        if (part := addresses.missing(self.model_dump())) == "country":
            raise MissingPart(part, f"{self.country!r} is no country that is known: a code of two letters, such as GB")
        if part:
            instead = ", or a postal_code" if part == "region" else ""
            raise MissingPart(part, f"is missing: an address in {self.country} needs it{instead}")
        return self


class MoneyBody(Body):
    """Minor units beside an ISO 4217 currency."""

    amount: Annotated[int, Field(ge=0, le=10**12)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]

    def money(self) -> Money:
        """The domain's value."""
        return Money(self.amount, self.currency)


def money_of(body: MoneyBody | None) -> Money | None:
    """The domain's value of what may be left out."""
    return body.money() if body else None
