"""``beskar7 run --fidelity model``: a scenario by the model, many times, with intervals."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from beskar7.api.problems import DocumentError
from beskar7.runtime import LiveRuntime
from scenarios.calibrate.option import calibration_of
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, STYLES, say
from scenarios.engine.checks import CheckResult, bound_of, format_value
from scenarios.engine.keeping import RESULT
from scenarios.engine.measure_names import MEASURES
from scenarios.engine.schema import Check, Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.estimates import Estimate, Shown, replicate
from scenarios.models.known import NotModelled
from scenarios.models.learn import NotLearned
from scenarios.models.play import Model
from scenarios.swarm.tally import LiveLine

RUNS = 10
SHOWN = (".p50", ".p95", ".p99")
"""The statistics of a distribution that are shown; ``result.json`` has them all."""
UNJUDGED = "no invariant was judged: a model has no log of what was done to a host"


@dataclass(frozen=True, slots=True)
class ModelResult:
    """What so many runs of the model said. ``wall_seconds`` are those of all together."""

    scenario: Scenario
    seed: int
    runs: int
    asked: int
    estimates: Mapping[str, Estimate]
    checks: Sequence[CheckResult]
    calibration: Calibration
    wall_seconds: float

    @property
    def passed(self) -> bool:
        return self.runs == self.asked and all(c.outcome == "passed" for c in self.checks)

    @property
    def seeds(self) -> str:
        return f"{self.seed}..{self.seed + self.runs - 1}"

    def verdict(self) -> str:
        counts = dict.fromkeys(("passed", "failed", "not judged"), 0)
        for check in self.checks:
            counts[check.outcome] += 1
        said = [f"{count} checks {word}" for word, count in counts.items() if count]
        return (
            f"{self.scenario.name}: {'HELD' if self.passed else 'NOT HELD'} "
            f"(model, seeds {self.seeds}, {self.runs} runs in {self.wall_seconds:.1f} s): "
            f"{', '.join([*said, UNJUDGED])}"
        )

    def to_json(self) -> dict[str, Any]:
        """``result.json``. Intervals are of the mean over the runs; without one: a single run."""
        return {
            "scenario": self.scenario.name,
            "fidelity": "model",
            "label": "terminating",
            "seed": self.seed,
            "runs": self.runs,
            "passed": self.passed,
            "calibration": {
                "source": self.calibration.source,
                "times": self.calibration.values(),
            },
            "checks": [check.to_json() for check in self.checks],
            "invariants": {},
            "invariants_judged": False,
            "metrics": {name: _interval(one) for name, one in self.estimates.items()},
            "wall_seconds": round(self.wall_seconds, 3),
        }


def _interval(one: Estimate) -> dict[str, float | int | None]:
    known = math.isfinite(one.half)
    return {
        "mean": round(one.mean, 6),
        "low": round(Shown.of(one).low, 6) if known else None,
        "high": round(one.high, 6) if known else None,
        "runs": one.count,
        "confidence": one.confidence,
    }


def run_model(scenario: Scenario, args: argparse.Namespace, voice: Console) -> int:
    """Play, judge the checks on the estimates, and tell; the exit code."""
    try:
        calibration = calibration_of(args)
        result = replicated(scenario, args.seed, args.runs or RUNS, calibration, voice)
    except (NotModelled, NotLearned) as error:
        say(voice, f"beskar7 run: {scenario.name}: {error}")
        return BAD_INPUT
    except DocumentError as error:
        say(voice, str(error))
        return BAD_INPUT
    if result is None:
        say(voice, "Interrupted before the first run was over.")
        return INTERRUPTED
    if args.output == "json":
        sys.stdout.write(_document(result).decode())
    else:
        _tell(result, Console(highlight=False))
    try:
        if args.report is not None:
            say(voice, f"written: {_keep(result, args.report)}")
    except OSError as error:
        say(voice, f"--report {args.report}: {error.strerror or error}")
        return BAD_INPUT
    if result.runs < result.asked:
        say(voice, f"Interrupted after {result.runs} of {result.asked} runs.")
        return INTERRUPTED
    return HELD if result.passed else FELL_SHORT


def replicated(
    scenario: Scenario, seed: int, runs: int, calibration: Calibration, voice: Console
) -> ModelResult | None:
    """``runs`` runs from ``seed`` on; fewer after Ctrl-C, None for none at all.

    Raises NotModelled and NotLearned.
    """
    now = LiveRuntime().now
    began = now()
    kept: list[dict[str, float]] = []
    model = Model(scenario, calibration)
    line = LiveLine(voice, now)

    def one(number: int) -> Mapping[str, float]:
        metrics = model.run(number).metrics
        kept.append({k: math.nan if value is None else value for k, value in metrics.items()})
        return kept[-1]

    def told(done: int) -> None:
        line.update(lambda at: f"[{at - began:6.1f} s] {done} of {runs} runs of the model")

    try:
        # All that were asked for, however sure they are: no half-width is below 0.
        estimates = replicate(one, first_seed=seed, relative=-1.0, most=runs, told=told)
    except KeyboardInterrupt:
        if not kept:
            return None
        estimates = replicate(lambda number: kept[number], first_seed=0, most=len(kept))
    finally:
        line.close()
    checks = [judged(check, estimates) for check in scenario.checks]
    took = now() - began
    return ModelResult(scenario, seed, len(kept), runs, estimates, checks, calibration, took)


def judged(check: Check, estimates: Mapping[str, Estimate]) -> CheckResult:
    """Against the whole interval: one that reaches beyond the bound neither holds nor fails."""
    found = estimates.get(check.measure)
    if found is None:
        return CheckResult(check, "not judged", None, "the model has no value for it")
    half = found.half if math.isfinite(found.half) else 0.0
    low, high = found.mean - half, found.mean + half
    bound, limit = bound_of(check)
    holds = {"max": high <= limit, "min": low >= limit, "equals": low == limit == high}[bound]
    fails = {"max": low > limit, "min": high < limit, "equals": not low <= limit <= high}[bound]
    if holds or fails:
        return CheckResult(check, "passed" if holds else "failed", found.mean)
    reason = "the interval covers the bound; more --runs make it narrower"
    return CheckResult(check, "not judged", found.mean, reason)


def _document(result: ModelResult) -> bytes:
    return orjson.dumps(result.to_json(), option=orjson.OPT_INDENT_2) + b"\n"


def _keep(result: ModelResult, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / RESULT
    path.write_bytes(_document(result))
    return path


def _tell(result: ModelResult, console: Console) -> None:
    table = Table("measure", "mean", "95 % interval", box=None, header_style="bold")
    for name, found in result.estimates.items():
        # What never happened is told by its count; its statistics would be rows of nothing.
        if "." in name and not name.endswith(SHOWN):
            continue
        unit = MEASURES[name].unit if name in MEASURES else "number"
        span = "-"
        if math.isfinite(found.half):
            ends = Shown.of(found)
            span = f"{format_value(ends.low, unit)} .. {format_value(ends.high, unit)}"
        table.add_row(name, format_value(found.mean, unit), span)
    console.print(table)
    if result.checks:
        table = Table("check", "bound", "estimate", "outcome", "", box=None, header_style="bold")
        for item in result.checks:
            bound, limit = bound_of(item.check)
            table.add_row(
                item.check.measure,
                f"{bound} {format_value(limit, item.check.unit)}",
                format_value(item.value, item.check.unit),
                Text(item.outcome, style=STYLES[item.outcome]),
                Text(item.reason),
            )
        console.print(table)
    style = "bold green" if result.passed else "bold red"
    console.print(Text(result.verdict(), style=style), soft_wrap=True)
