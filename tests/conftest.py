"""What tests have to say when they pass: how much was tried, and with which seed."""

from __future__ import annotations

import pytest

SUMMARY = "summary"
"""The name of the property by which a test says a line, from whichever process it runs in."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print those lines at the end."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == SUMMARY:
                        terminalreporter.write_line(str(value))
