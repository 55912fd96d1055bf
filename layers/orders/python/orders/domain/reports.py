"""What carriers report of parcels, in one shape for all of them."""

from collections.abc import Container
from dataclasses import dataclass, replace

from orders.domain.identifiers import TrackingNumber
from orders.domain.parcels import TrackingDetail
from orders.domain.personal import Forgotten, Impersonal, erased, guarded
from orders.domain.scans import Scan


@guarded
@dataclass(frozen=True, slots=True)
class Report:
    """One scan of one parcel; ``tracking_number`` says whose, ``event_id`` makes a repetition recognizable.

    ``notice`` is what the carrier says about its own system, where ``scan`` has no status.
    """

    event_id: Impersonal
    tracking_number: TrackingNumber
    scan: Scan
    carrier: Forgotten | None = None
    notice: Impersonal | None = None

    def without_words(self) -> "Report":
        """The report of a parcel whose customer's personal data has been erased: no place, and no name but the number's."""
        return erased(self)

    def besides(self, known: Container[TrackingDetail]) -> "Report":
        """The report without the earlier scans that are known already: carriers list them all each time."""
        return replace(self, scan=replace(self.scan, earlier=tuple(one for one in self.scan.earlier if one not in known)))
