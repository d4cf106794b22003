"""Plays an experiment, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from beskar7.runtime import LiveRuntime
from emulator.kube.inprocess import LatencyModel
from guidetrial.kept import Results
from guidetrial.labs import play_lab
from guidetrial.model import Experiment, Lab, Run, Storm
from guidetrial.played import play_run
from scenarios.storms.virtual import virtual

STORM_FIGURES = ("p50", "p95", "p99", "claimed", "claims_per_second", "conflict_ratio")


def play_storm(storm: Storm, seed: int) -> dict[str, float]:
    """Claims alone, without BMCs; ``success_ratio`` is of tries, as the guide counts it."""
    row = virtual(
        storm.mode,
        storm.algorithm,
        storm.machines,
        hosts=storm.hosts or storm.machines * 6 // 5,
        managers=storm.managers,
        seed=seed,
        latency=LatencyModel(request=storm.api, delivery=4 * storm.api),
        config=storm.config,
    )
    found = {name: float(row[name]) for name in STORM_FIGURES}
    return found | {"success_ratio": 1 - found["conflict_ratio"]}


def play(experiment: Experiment, seed: int) -> dict[str, float]:
    """Its figures. Raises RuntimeError when the run itself fell short."""
    if isinstance(experiment, Run):
        return play_run(experiment, seed)
    if isinstance(experiment, Lab):
        return play_lab(experiment)
    return play_storm(experiment, seed)


def play_missing(
    experiments: Iterable[Experiment], results: Results, code: str, say: Callable[[str], None]
) -> None:
    """Play what the results lack, and keep each figure as soon as it is there."""
    clock = LiveRuntime().now
    for experiment in experiments:
        for seed in results.lacks(experiment, code):
            began = clock()
            results.put(experiment, seed, code, play(experiment, seed))
            results.save()
            say(f"{experiment.name}, seed {seed}: {clock() - began:.1f} s")
