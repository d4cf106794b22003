"""What the model says of a run, before and after it was calibrated by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.engine.schema import Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.estimates import estimate
from scenarios.models.play import Model

SEEDS = 5
MEASURES = (
    *("claim_seconds.p50", "claim_seconds.p95"),
    *("queue_seconds.p50", "queue_seconds.p95"),
    *("ready_seconds.p50", "ready_seconds.p95"),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A measure of a run, and what the model says of it (seconds, the mean of some seeds)."""

    measure: str
    seen: float
    before: float
    after: float

    @property
    def errors(self) -> tuple[float, float]:
        """Of the model before and after, as shares of what was seen."""
        return abs(self.before / self.seen - 1.0), abs(self.after / self.seen - 1.0)


def agreement(
    scenario: Scenario, seed: int, seen: Mapping[str, float | None], times: Calibration
) -> list[Agreement]:
    """For each of :data:`MEASURES` that the run has. ``seen``: its measures."""
    before, after = (_said(scenario, seed, each) for each in (Calibration(), times))
    return [
        Agreement(name, value, before[name], after[name])
        for name in MEASURES
        if (value := seen.get(name)) and name in before and name in after
    ]


def _said(scenario: Scenario, seed: int, times: Calibration) -> dict[str, float]:
    model = Model(scenario, times)
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for each in range(seed, seed + SEEDS):
        metrics = model.run(each).metrics
        for name in MEASURES:
            value = metrics.get(name)
            if value is not None:
                found[name].append(value)
    return {name: estimate(values).mean for name, values in found.items() if values}
