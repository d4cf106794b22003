"""What a load test found: samples by measure, outcomes, and a verdict; as text and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.lifecycle import TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE
from loadtest.thresholds import Threshold, judge

MEASURES = (TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE)
MAX_SAMPLES = 200_000
"""Samples kept of each measure; further ones are counted, and the report says so."""
MAX_MESSAGES = 10
COUNTERS = ("succeeded", "failed", "messages", "outcomes", "lives", "loop")
SATURATED = 0.05
"""Share of late looks from which on the generator's own delay may be in the figures."""


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of sorted values; ``share`` in (0, 1]."""
    rank = max(1, -(-len(ordered) * round(share * 1000) // 1000))
    return ordered[rank - 1]


@dataclass(slots=True)
class Recorder:
    """Collects while the test runs."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    succeeded: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    lives: Counter[str] = field(default_factory=Counter)
    """How many were ``begun``, came as far as they would (``served``), and are ``over``."""
    loop: Counter[str] = field(default_factory=Counter)
    """Looks at whether the process keeps up: all ``looks``, and those that came ``late``."""

    def success(self, measure: str, seconds: float) -> None:
        self.succeeded[measure] += 1
        kept = self.samples.setdefault(measure, [])
        if len(kept) < MAX_SAMPLES:
            kept.append(seconds)

    def failure(self, measure: str, message: str) -> None:
        self.failed[measure] += 1
        text = f"{measure}: {message}"
        if text in self.messages or len(self.messages) < MAX_MESSAGES:
            self.messages[text] += 1

    def outcome(self, name: str) -> None:
        self.outcomes[name] += 1

    def take(self) -> dict[str, Any]:
        """All that was collected, as JSON; nothing of it is left. What a worker sends."""
        taken: dict[str, Any] = {"samples": dict(self.samples)}
        self.samples.clear()
        for name in COUNTERS:
            taken[name] = dict(getattr(self, name))
            getattr(self, name).clear()
        return taken

    def merge(self, taken: Mapping[str, Any]) -> None:
        """Add what :meth:`take` gave elsewhere."""
        for measure, values in taken["samples"].items():
            kept = self.samples.setdefault(measure, [])
            kept += values[: max(0, MAX_SAMPLES - len(kept))]
        for name in COUNTERS:
            getattr(self, name).update(taken[name])

    @property
    def saturated(self) -> bool:
        """Whether the load generator itself was too slow to be believed."""
        return self.loop["late"] > SATURATED * max(1, self.loop["looks"])

    def verdict(self, crossed: int = 0) -> tuple[bool, str]:
        """Whether every promise held and no threshold was ``crossed``, in words too.

        Having provisioned nothing is falling short.
        """
        broken = sum(self.failed.values())
        if broken:
            return False, f"promises broken: {broken}"
        if crossed:
            return False, f"thresholds crossed: {crossed}"
        if not self.succeeded[TIME_TO_PROVISIONED]:
            return False, "no machine was provisioned, so nothing was shown"
        return True, "every promise held"


def summary(
    recorder: Recorder,
    facts: Mapping[str, Any],
    attempts: Counter[str] | None,
    conflict_events: int | None,
    thresholds: Sequence[Threshold] = (),
) -> dict[str, Any]:
    """The findings as JSON-ready values; seconds throughout.

    ``facts`` go in as they are; ``refused`` among them is why the test was given up.
    """
    measures = {}
    for name in [*MEASURES, *sorted(set(recorder.failed) - set(MEASURES))]:
        row: dict[str, Any] = {"count": recorder.succeeded[name], "failed": recorder.failed[name]}
        if ordered := sorted(recorder.samples.get(name, [])):
            row["mean"] = sum(ordered) / len(ordered)
            row |= {f"p{p}": percentile(ordered, p / 100) for p in (50, 95, 99)}
            row["max"] = ordered[-1]
            row["samples"] = len(ordered)
        measures[name] = row
    found = {
        **facts,
        "measures": measures,
        "claim_attempts": None if attempts is None else dict(sorted(attempts.items())),
        "conflict_events": conflict_events,
        "outcomes": dict(sorted(recorder.outcomes.items())),
        "saturated": recorder.saturated,
        "broken_promises": dict(recorder.messages),
    }
    judged = judge(thresholds, found, saturated=recorder.saturated)
    passed, words = recorder.verdict(sum(each.outcome == "failed" for each in judged))
    if "refused" in facts:
        passed, words = False, str(facts["refused"])
    told = {"thresholds": [each.to_json() for each in judged]} if judged else {}
    return {"passed": passed, "verdict": words, **found, **told}


def render(found: Mapping[str, Any]) -> str:
    """The table that is printed at the end."""
    columns = ("mean", "p50", "p95", "p99", "max")
    lines = [
        f"{'seconds':<21}{'count':>7}{'failed':>8}" + "".join(f"{c:>9}" for c in columns),
    ]
    for name, row in found["measures"].items():
        cells = "".join(f"{row[c]:>9.3f}" if c in row else f"{'-':>9}" for c in columns)
        note = f"  (of the first {MAX_SAMPLES})" if row["count"] > row.get("samples", 0) > 0 else ""
        lines.append(f"{name:<21}{row['count']:>7}{row['failed']:>8}{cells}{note}")
    lines.append("")
    lines += [f"{name:<42}{value:>8}" for name, value in _outcomes(found)]
    for message, count in found["broken_promises"].items():
        lines.append(f"broken {count} times: {message}")
    for row in found.get("thresholds", []):
        value = "-" if row["value"] is None else f"{row['value']:.4g}"
        lines.append(f"{row['measure']:<30} {row['bound']:<16} {value:>10}  {row['outcome']}")
    if found["saturated"]:
        lines.append("The load generator itself was too busy: its times are upper bounds.")
    lines += ["", f"{'HELD' if found['passed'] else 'FELL SHORT'}: {found['verdict']}"]
    return "\n".join(lines)


def _outcomes(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What happened and is no failure: conflicts above all."""
    attempts = found["claim_attempts"]
    rows = []
    if attempts is not None:
        total = sum(attempts.values())
        rows.append(("claim attempts", str(total)))
        for name, value in attempts.items():
            share = f"{value} ({value / total:.1%})" if total else str(value)
            rows.append((f"  of them {name or 'without outcome'}", share))
    else:
        rows.append(("claim attempts", "unknown"))
    events = found["conflict_events"]
    rows.append(("ClaimConflict events", "unknown" if events is None else str(events)))
    rows += [(name, str(value)) for name, value in found["outcomes"].items()]
    return rows


def write(found: Mapping[str, Any], path: Path) -> None:
    """Keep the findings as a JSON file, its directory made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
