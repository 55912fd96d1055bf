"""What is counted can be counted anew without the minutes that the rest of the benchmarks take."""

from collections import Counter
from datetime import UTC, datetime

from bench.page import MARK, PAGE, UNITS, recounted
from bench.units import Bill

DAY = datetime(2026, 11, 22, tzinfo=UTC)


def bill(path: str, transitions: int) -> Bill:
    used = Counter[str](transitions=transitions, invocations=14, billed_ms=250, table_write_units=55, index_write_units=13)
    return Bill(path, used, {}, {})


def test_the_counts_of_the_page_are_renewed_and_the_rest_stays() -> None:
    page = PAGE.read_text(encoding="utf-8")
    bills = [bill("happy, no waits", 7), bill("happy", 10)]
    renewed = recounted(page, bills, (2, 3), DAY)
    assert "| transitions of one order: happy, no waits | 7 | 7.0 | met |\n" in renewed
    assert "| transitions of one order: happy | 9 | 10.0 | **missed** |\n" in renewed
    assert "| `GET …/status`, reads of the table | 1 | 3 | **missed** |\n" in renewed
    assert renewed.count("a million delivered orders") == 1
    timed = [text.partition("## Orders at once")[2].partition(UNITS)[0] for text in (page, renewed)]
    assert timed[0] == timed[1]
    assert renewed.partition(MARK)[2] == page.partition(MARK)[2], "what was written by hand"
    assert recounted(renewed, bills, (2, 3), DAY) == renewed
