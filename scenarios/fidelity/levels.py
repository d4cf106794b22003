"""Plays one scenario at any of three levels, for whoever compares, plans or sweeps."""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.runtime import LiveRuntime
from scenarios.engine.clocks import CLOCKS, LEVELS, Fidelity
from scenarios.engine.schema import Scenario
from scenarios.engine.trial import play
from scenarios.models.calibration import Calibration
from scenarios.models.play import simulate

__all__ = ["LEVELS", "Fidelity", "Played", "play_at"]


@dataclass(frozen=True, slots=True)
class Played:
    """One run. ``metrics`` by the names of :mod:`scenarios.engine.measure_names`, None where there
    was nothing to measure; a model leaves out what it does not know. ``shortfalls``: what broke a
    promise or a check, in words (a model judges nothing). ``bottleneck``: what of the harness was
    too slow for its times to be the controller's."""

    fidelity: Fidelity
    seed: int
    metrics: dict[str, float | None]
    wall_seconds: float
    shortfalls: tuple[str, ...] = ()
    bottleneck: str = ""


def play_at(
    fidelity: Fidelity, scenario: Scenario, seed: int, times: Calibration | None = None
) -> Played:
    """Run it once. ``times`` is the model's alone. Raises NotModelled or NotLearned (model)."""
    if fidelity == "model":
        now = LiveRuntime().now
        began = now()
        metrics = simulate(scenario, seed, times).metrics
        return Played(fidelity, seed, metrics, now() - began)
    result = play(scenario, seed, CLOCKS[fidelity])
    fell_short = tuple(result.shortfalls())
    return Played(
        fidelity, seed, result.metrics, result.wall_seconds, fell_short, result.bottleneck
    )
