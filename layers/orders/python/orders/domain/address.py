"""Where a parcel goes, and how its customer is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from orders.domain.personal import Forgotten, Impersonal, Personal, Privacy, guarded


@guarded
@dataclass(frozen=True, slots=True)
class Address:
    """Where the parcel goes. The country stays when the rest is erased: which tax was due depends on it.

    ``city`` and ``postal_code`` are empty where a country has none.
    """

    name: Personal
    line1: Personal
    city: Personal
    postal_code: Personal
    country: Impersonal
    line2: Forgotten | None = None
    company: Forgotten | None = None
    region: Forgotten | None = None
    phone: Forgotten | None = None
    unknown: Annotated[Mapping[str, Any], Privacy.FORGOTTEN] = field(default_factory=dict)
    """What a later release has written beside it: kept, until an erasure."""


NO_ADDRESS = Address("", "", "", "", "")
"""Of an order of which nothing is sent."""

ADDRESS_PARTS = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country", "phone")
"""The parts of an address in the order in which they are written."""


@guarded
@dataclass(frozen=True, slots=True)
class Contact:
    """How the customer is reached; ``locale`` is the language, as a tag such as ``de-AT``."""

    email: Forgotten | None = None
    phone: Forgotten | None = None
    locale: Impersonal | None = None
