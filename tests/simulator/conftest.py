"""The seeds that were drawn, printed at the end."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes how the drawn seeds are run again."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [one for report in reports for one in getattr(report, "user_properties", ())]
    for line in sorted({str(value) for name, value in properties if name == "simulated"}):
        terminalreporter.write_line(line)
