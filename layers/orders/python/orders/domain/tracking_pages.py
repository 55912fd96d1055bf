"""Which carriers are known by name, and where they show their parcels to everybody: a page for each number."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from orders.domain.identifiers import TrackingNumber

PAGES: Mapping[str, str] = MappingProxyType(
    {
        "auspost": "https://auspost.com.au/mypost/track/#/details/",
        "australiapost": "https://auspost.com.au/mypost/track/#/details/",
        "canadapost": "https://www.canadapost-postescanada.ca/track-reperage/en#/search?searchFor=",
        "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id=",
        "dpd": "https://tracking.dpd.de/status/en_US/parcel/",
        "fedex": "https://www.fedex.com/fedextrack/?trknbr=",
        "gls": "https://gls-group.eu/track/",
        "royalmail": "https://www.royalmail.com/track-your-item#/tracking-results/",
        "ups": "https://www.ups.com/track?tracknum=",
        "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels=",
    }
)
"""What the address of a parcel's page begins with, by the carrier's name in small letters and without spaces."""
KNOWN = (*PAGES, "simex")
"""The carriers that are known by name. The simulated one is, and has no page."""
_SERVICE = re.compile(r"(express|ground|parcel|ecommerce|paket|freight)$")
"""What carriers add to their names for one of their services."""


def page_of(carrier: str, number: TrackingNumber | None) -> str | None:
    """The carrier's own page about a parcel; ``None`` where its carrier has none that is known, or it has no number."""
    name = known_name(carrier)
    begins = PAGES.get(name or "")
    return f"{begins}{quote(number, safe='')}" if begins and number else None


def known_name(carrier: str) -> str | None:
    """One of the ``KNOWN`` names, however people and carriers write it; ``None`` for a carrier that is not known."""
    name = re.sub(r"[^a-z]", "", carrier.lower())
    return next((one for one in (name, _SERVICE.sub("", name)) if one in KNOWN), None)
