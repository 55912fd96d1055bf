"""The seeds that were drawn, told at the end."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [told for report in reports for told in getattr(report, "user_properties", ())]
    seeds = sorted({str(value) for name, value in properties if name == "seed"})
    if seeds:
        terminalreporter.write_line(f"simulated: make simulate SEEDS={','.join(seeds)}")
