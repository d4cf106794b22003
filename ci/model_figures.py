"""Writes ``tests/sim/models/model_figures.json``: what the model says of a few scenarios at a seed.

Whoever changes the model on purpose writes it anew, and the difference stands in the commit:
``python ci/model_figures.py --write``. Without it this only says what differs.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson

from emulator.kube.inprocess import LatencyModel
from scenarios.engine.loader import load
from scenarios.models.play import simulate
from scenarios.storms.play import play_storm
from scenarios.storms.storm import Storm

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "tests/sim/models/model_figures.json"
SET = ROOT / "scenarios/fidelity/set"
SEED = 5
SCENARIOS = ("tuned/batch-storm", "tuned/churn", "unseen/elected-claims", "unseen/manager-kill")
"""Queue, releases, claims by a coordinator, and a fail-over: each a part of the model."""
STORM = Storm(
    40, 1.2, 3, mode="shards", algorithm="first-available", api=LatencyModel(0.02, 0.05, 1.0)
)
"""Claims with conflicts and backoff, which no scenario has: all prefer the same hosts."""
DIGITS = 9
"""Significant ones: sums may differ by the last bit from one processor to another."""

Figures = dict[str, dict[str, float | None]]


def figures() -> Figures:
    """Every measure of every scenario."""
    found = {name: simulate(load(str(SET / f"{name}.yaml")), SEED).metrics for name in SCENARIOS}
    found["storm"] = play_storm("model", STORM, SEED).metrics
    return {
        name: {measure: _rounded(value) for measure, value in sorted(metrics.items())}
        for name, metrics in found.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def differences(was: Mapping[str, Mapping[str, float | None]], found: Figures) -> list[str]:
    """A line for each measure that is another than it was, or is only on one side."""
    lines = []
    for name in sorted(was.keys() | found.keys()):
        old, new = was.get(name, {}), found.get(name, {})
        for measure in sorted(old.keys() | new.keys()):
            before, after = old.get(measure, "absent"), new.get(measure, "absent")
            if not _same(before, after):
                lines.append(f"{name}: {measure} is {after}, and was {before}")
    return lines


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=10.0 ** (1 - DIGITS))
    return one == other


def kept() -> Figures:
    """As they were written."""
    found: Figures = orjson.loads(TARGET.read_bytes())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="take them as they are now")
    args = parser.parse_args()
    found = figures()
    if args.write:
        TARGET.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    lines = differences(kept(), found)
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
