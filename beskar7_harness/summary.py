"""The step summary of GitHub Actions: a table of the tests that had a lab."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from beskar7.runtime import LiveRuntime

MAX_ROWS = 200
"""GitHub takes 1 MiB a step; what is more is counted."""
WORDS = {"passed": "passed", "failed": "**failed**", "skipped": "skipped", "error": "**error**"}


class StepSummary:
    """Collects in the process that has all reports: under pytest-xdist the controller."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, object]] = {}
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._began = LiveRuntime().now()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        known = {name: value for name, value in report.user_properties if "beskar7_" in name}
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if report.when == "call" or (report.when == "setup" and not report.passed):
            error = report.failed and report.when == "setup"
            self._outcomes[report.nodeid] = "error" if error else report.outcome
        elif report.failed:
            self._outcomes[report.nodeid] = "error"
        if known:
            self._rows.setdefault(report.nodeid, {}).update(known)

    def pytest_sessionfinish(self) -> None:
        """Append the table; a summary that cannot be written must not fail the tests."""
        if not self._rows:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n".join(self._lines()) + "\n")
        except OSError as error:
            warnings.warn(
                f"GITHUB_STEP_SUMMARY {self._path}: {error.strerror or error}", stacklevel=1
            )

    def _lines(self) -> list[str]:
        failed = sum(self._outcomes.get(test) in ("failed", "error") for test in self._rows)
        seconds = LiveRuntime().now() - self._began
        head = f"{len(self._rows)} tests in labs, {failed} not passed, {seconds:.0f} s"
        lines = [f"### Beskar7: {head}", "", "| test | outcome | seconds | clock | seed | kept |"]
        lines.append("|---|---|---|---|---|---|")
        order = sorted(self._rows, key=lambda test: (self._outcomes.get(test) == "passed", test))
        for test in order[:MAX_ROWS]:
            row = self._rows[test]
            cells = (
                f"`{test}`",
                WORDS.get(self._outcomes.get(test, ""), "?"),
                f"{self._seconds.get(test, 0.0):.1f}",
                row.get("beskar7_clock", ""),
                row.get("beskar7_seed", ""),
                f"`{row['beskar7_artefacts']}`" if "beskar7_artefacts" in row else "",
            )
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        if len(order) > MAX_ROWS:
            lines.append(f"\nand {len(order) - MAX_ROWS} more")
        return lines


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
