"""A day of churn in virtual time: who waits, what holds, and whether the managers' memory is flat.

By hand: ``python benchmarks/churn.py [--hours 24] [--seed 7]``. Plays the catalogue's day-of-churn,
by default two hours of it: a twelfth of its machines at the same rate, with its faults moved
together, and without its kills (whose successors would all be too young to be judged). Prints
invariants, waits and claims, and what the managers hold, sampled 24 times while machines come.

Memory is what can be reached from the living managers, by ``sys.getsizeof``: not what was allocated
in their code, as the world copies its objects by the same functions. Random streams belong to the
runtime, which all processes of virtual time share; they are counted beside it. The written Events
that a recorder remembers (an hour's, at most ``KNOWN``) and the metrics' series are counted, but
not weighed: those follow the traffic an hour late, these come one by one over days, as each BMC has
one for its cooldowns, and have the fleet's size and the vocabulary of outcomes for their bound.

The slopes are least squares over time and the number of machines, so that a busy hour is no growth.
Every kill begins a new piece with a level of its own, of which the first hour does not count: a
manager fills its caches then. Writes out/bench/churn.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beskar7.manager import Manager
from beskar7.runtime import VirtualRuntime
from scenarios.engine.evidence import Evidence
from scenarios.engine.inside import CONTAINERS, fields, owned
from scenarios.engine.loader import load
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.measures import measure
from scenarios.engine.runner import Run
from scenarios.engine.schema import Scenario
from scenarios.engine.trial import verdict
from scenarios.engine.virtual import VirtualWorld

OUT = Path(__file__).parents[1] / "out/bench/churn.json"
DAY = 24.0
SAMPLES = 24
WARM_UP = 3600.0
"""Seconds until a new manager's caches hold what they will hold."""
LONGEST_WAIT = 60.0
"""Seconds that a machine may wait while a host was free for it: the reconcilers' own net below
all wake-ups (``WAIT_FOR_HOST``)."""
GROWTH = 0.05
"""Share of its size by which memory may seem to grow in a day; less is not told from none."""
REMEMBERED = (("EventRecorder", "_written"),)
SHOWN = ("piece", "at", "machines", "bytes", "tasks", "streams", "series")


@dataclass(slots=True)
class Sample:
    """``piece`` counts the kills before; ``at`` is hours of virtual time; ``machines`` exist."""

    piece: int
    at: float
    machines: int
    warm: bool
    bytes: int
    tasks: int
    streams: int
    series: int
    sizes: Counter[str]


def reachable(roots: Iterable[object]) -> tuple[int, Counter[str]]:
    """Bytes of all that the roots own, and the number of entries of each container field."""
    total = 0
    sizes: Counter[str] = Counter()
    for item in owned(roots, unseen=REMEMBERED):
        total += sys.getsizeof(item)
        if type(item).__module__.partition(".")[0] == "beskar7":
            for name, value in fields(item):
                if isinstance(value, CONTAINERS):
                    sizes[f"{type(item).__name__}.{name}"] += len(value)
    return total, sizes


def series(manager: Manager) -> int:
    lines = manager.metrics.exposition().decode().splitlines()
    return sum(not line.startswith("#") for line in lines)


class Sampler:
    """Looks at the managers of a world at even times while machines come, as a task in it."""

    def __init__(self, world: VirtualWorld, evidence: Evidence, every: float) -> None:
        """``every``: seconds between two looks."""
        self.samples: list[Sample] = []
        self._world = world
        self._evidence = evidence
        self._every = every

    def run(self) -> None:
        for _ in range(SAMPLES):
            self._world.runtime.sleep(self._every)
            self._sample()

    def _sample(self) -> None:
        now = self._world.runtime.now()
        kills = [i.time for i in self._evidence.incidents if i.kind == "kill-manager"]
        living = self._world.living()
        size, sizes = reachable(manager for _, manager in living)
        self.samples.append(
            Sample(
                len(kills),
                now / 3600.0,
                sum(not track.gone for track in self._evidence.history.machines.values()),
                now - max(kills, default=self._evidence.began) >= WARM_UP,
                size,
                sum(len(process.tasks) for process, _ in living),
                len(self._world.streams),
                sum(series(manager) for _, manager in living),
                sizes,
            )
        )


def shortened(day: Scenario, hours: float) -> Scenario:
    """So many hours of the day: as many machines an hour, the same faults, closer."""
    if hours == DAY:
        return day
    share = hours / DAY
    faults: list[Mapping[str, Any]] = [
        {
            **fault,
            "start": fault["start"] * share,
            "duration": None if fault["duration"] is None else fault["duration"] * share,
        }
        for fault in day.faults
    ]
    return replace(
        day,
        load=replace(day.load, machines=max(1, round(day.load.machines * share))),
        faults=tuple(faults),
        acts=(),
    )


def slope(samples: Sequence[Sample], values: Sequence[float]) -> tuple[float, float]:
    """Growth an hour and its standard error; (0, inf): too few samples.

    By the theorem of Frisch, Waugh and Lovell: the slope in two variables is that of what the
    other one leaves unexplained.
    """
    pieces = [sample.piece for sample in samples]
    machines = _centred(pieces, [float(sample.machines) for sample in samples])
    hours = _unexplained(_centred(pieces, [sample.at for sample in samples]), machines)
    rest = _unexplained(_centred(pieces, values), machines)
    spread = math.fsum(x * x for x in hours)
    freedom = len(samples) - len(set(pieces)) - 2
    if freedom < 1 or spread < 1e-12:
        return 0.0, math.inf
    found = math.fsum(x * y for x, y in zip(hours, rest, strict=True)) / spread
    error = math.fsum((y - found * x) ** 2 for x, y in zip(hours, rest, strict=True))
    return found, math.sqrt(error / freedom / spread)


def _centred(pieces: Sequence[int], values: Sequence[float]) -> list[float]:
    """Each value without the mean of its piece."""
    groups: dict[int, list[float]] = {}
    for piece, value in zip(pieces, values, strict=True):
        groups.setdefault(piece, []).append(value)
    means = {piece: math.fsum(several) / len(several) for piece, several in groups.items()}
    return [value - means[piece] for piece, value in zip(pieces, values, strict=True)]


def _unexplained(values: Sequence[float], by: Sequence[float]) -> list[float]:
    spread = math.fsum(x * x for x in by)
    both = math.fsum(x * y for x, y in zip(by, values, strict=True))
    share = both / spread if spread else 0.0
    return [y - share * x for x, y in zip(by, values, strict=True)]


def play(hours: float, seed: int) -> dict[str, Any]:
    scenario = shortened(load("day-of-churn"), hours)
    attempt = Run(scenario, clock="virtual", seed=seed)
    runtime = VirtualRuntime(seed)
    every = hours * 3600.0 / SAMPLES
    samplers: list[Sampler] = []

    def body() -> None:
        world = VirtualWorld(scenario, seed, runtime)
        sampler = Sampler(world, attempt.evidence, every)
        samplers.append(sampler)
        runtime.spawn(sampler.run, name="sampler")
        attempt.body(world)

    started = time.perf_counter()
    runtime.run(body)
    wall = time.perf_counter() - started
    result = verdict(attempt.evidence, wall)
    rows = machine_times(attempt.evidence)
    values = measure(attempt.evidence)
    return {
        "hours": hours,
        "seed": seed,
        "wall_seconds": wall,
        "virtual_seconds": attempt.evidence.ended - attempt.evidence.began,
        "ending": attempt.evidence.ending,
        "passed": result.passed,
        "invariants": {item.name: item.to_json() for item in result.invariants},
        "machines": len(rows),
        "claims": values["claimed"],
        "conflicts": values["conflicts"],
        "longest_wait_beside_a_free_host": max(
            (r.claimed - r.eligible for r in rows if r.claimed and r.eligible is not None),
            default=0.0,
        ),
        "longest_wait": max((r.claimed - r.created for r in rows if r.claimed), default=0.0),
        **memory(samplers[0].samples),
    }


def memory(samples: Sequence[Sample]) -> dict[str, Any]:
    warm = [sample for sample in samples if sample.warm]
    if not warm:
        return {"samples": [], "flat": False}
    growth, error = slope(warm, [s.bytes for s in warm])
    mean = math.fsum(s.bytes for s in warm) / len(warm)
    sizes: dict[str, Any] = {}
    for name in sorted({name for s in warm for name in s.sizes}):
        risen, unsure = slope(warm, [s.sizes[name] for s in warm])
        sizes[name] = {
            "last": warm[-1].sizes[name],
            "most": max(s.sizes[name] for s in warm),
            "per_hour": risen,
            "error": unsure,
        }
    streams, _ = slope(warm, [s.streams for s in warm])
    return {
        "samples": [{name: getattr(s, name) for name in SHOWN} | {"warm": s.warm} for s in samples],
        "mean_bytes": mean,
        "bytes_per_hour": growth,
        "bytes_per_hour_error": error,
        "flat": growth - 2 * error <= 0 or growth * DAY <= GROWTH * mean,
        "streams_per_hour": streams,
        "sizes": sizes,
    }


def show(row: Mapping[str, Any]) -> bool:
    """The figures, with the goals beside them; whether all were reached."""
    print(
        f"{row['virtual_seconds'] / 3600:.1f} hours in {row['wall_seconds']:.0f} s, seed "
        f"{row['seed']}: {row['ending']}; {row['machines']} machines, {row['claims']:.0f} claims, "
        f"{row['conflicts']:.0f} conflicts"
    )
    for name, judged in row["invariants"].items():
        print(f"  {name:<26}{judged['cases']:>6}  {judged['verdict']}")
    beside = row["longest_wait_beside_a_free_host"]
    fair = beside <= LONGEST_WAIT
    print(
        f"longest wait for a host: {beside:.1f} s while one was free "
        f"(goal {LONGEST_WAIT:g} s: {told(fair)}), {row['longest_wait']:.1f} s at all"
    )
    if not row["samples"]:
        print("memory: the run was too short for a sample")
        return False
    for sample in row["samples"]:
        print(
            f"  {sample['at']:5.1f} h  {sample['machines']:>4} machines"
            f"{sample['bytes'] / 1024:>8.0f} KiB{sample['tasks']:>5} tasks"
            f"{sample['streams']:>5} streams{sample['series']:>6} series"
            f"  after {sample['piece']} kills"
        )
    print(
        f"memory of the managers: {row['mean_bytes'] / 1024:.0f} KiB, "
        f"{row['bytes_per_hour'] / 1024:+.1f} +- {row['bytes_per_hour_error'] / 1024:.1f} KiB/h "
        f"(goal: no growth: {told(row['flat'])}); random streams {row['streams_per_hour']:+.1f}/h"
    )
    grown = sorted(row["sizes"].items(), key=lambda item: -item[1]["per_hour"])
    print("  what grows most:      entries at the end, at most, an hour")
    for name, size in grown[:12]:
        print(
            f"  {name:<40}{size['last']:>7}{size['most']:>7}{size['per_hour']:>+9.2f} "
            f"+- {size['error']:.2f}"
        )
    held = all(verdict["verdict"] == "held" for verdict in row["invariants"].values())
    return held and fair and bool(row["flat"]) and row["ending"] == "settled"


def told(held: bool) -> str:
    return "held" if held else "MISSED"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0, help="of virtual time (default 2)")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if not 1.5 <= args.hours <= 6 * DAY:
        parser.error("--hours has to be from 1.5 to 144: the first one only fills caches")
    logging.disable(logging.CRITICAL)
    row = play(args.hours, args.seed)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(row, indent=1), encoding="utf-8")
    return 0 if show(row) else 1


if __name__ == "__main__":
    sys.exit(main())
