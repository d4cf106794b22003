"""How fast the model is, beside the code in virtual time, in the same run on the same machine.

By hand: ``python benchmarks/models.py [--runs 1000]``. A storm: 200 machines at once on 200 hosts
of four vendors, at the vendors' full times. The code is compared on one of 50 hosts that boot ten
times as fast, alone and with a tenth of the BMCs hanging for a minute. A day: 1000 hosts, 720
machines that stay for 6 hours on average. Times are of the processor, which other work on the
machine makes longer, too, but not by as much as the clock's.
Exits 1 unless 1000 storms take less than a minute and the day less than a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario
from scenarios.engine.trial import play
from scenarios.models.play import Model
from scenarios.parallel.jobs import Workers, play_all

FLEET = """
  hosts:
    count: {hosts}
    vendors: {{dell: 4, hpe: 3, lenovo: 2, supermicro: 1}}
    racks: 5
    scale: {{boot: 1, latency: 1}}
"""
STORM = f"""
name: storm
world: {FLEET.format(hosts=200).rstrip()}
  managers: {{replicas: 3}}
  config:
    provisioning.maxConcurrentOps: 20
    provisioning.workerCount: 20
    provisioning.maxQueueSize: 200
load: {{machines: 200}}
limits: {{timeout: 2h, enrol_timeout: 1h}}
"""
SMALL = STORM.replace("200", "50").replace("boot: 1,", "boot: 0.1,")
"""The code takes minutes for a large one."""
HIT = (
    SMALL + "faults: [{id: hung, kind: hang, select: {fraction: 0.1}, start: 1s, duration: 60s}]\n"
)
DAY = f"""
name: day
world: {FLEET.format(hosts=1000)}
load: {{machines: 720, arrivals: {{poisson: 0.00833/s}}, lifetime: {{exponential: 6h}}}}
limits: {{timeout: 48h, enrol_timeout: 1h}}
"""
MOST_SECONDS = 60.0
"""For 1000 storms on all cores, and a day below a second: what issue 8 of the project sets."""
MOST_DAY = 1.0
MODEL_RUNS = 10
CHUNK = 20
"""Storms that a worker plays for each time that it is handed the model."""


def processor(play: Callable[[int], object], runs: int) -> float:
    """Seconds of the processor that one run takes on average."""
    began = time.process_time()
    for seed in range(1, runs + 1):
        play(seed)
    return (time.process_time() - began) / runs


def seconds_of(model: Model, seeds: range) -> list[float]:
    return [model.run(seed).seconds for seed in seeds]


def compare(name: str, scenario: Scenario) -> None:
    ready = time.process_time()
    model = Model(scenario)
    model.run(1)
    ready = time.process_time() - ready
    fast = processor(model.run, MODEL_RUNS)
    slow = processor(lambda seed: play(scenario, seed), 1)
    print(
        f"{name:22}  model {fast:6.3f} s of the processor a run (made ready: {ready:.2f} s),"
        f"  code {slow:7.2f} s: 1/{slow / fast:.0f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="storms on all cores")
    options = parser.parse_args()
    compare("storm of 50 hosts", loads(SMALL))
    compare("  a tenth of BMCs hang", loads(HIT))
    day = Model(loads(DAY))
    day.run(1)
    storm = Model(loads(STORM))
    each = processor(storm.run, MODEL_RUNS)
    print(f"{'storm of 200 hosts':22}  model {each:6.3f} s of the processor a run")
    seconds = processor(day.run, 3)
    print(f"{'day of 1000 hosts':22}  model {seconds:6.3f} s of the processor a run")
    one = partial(seconds_of, storm)
    began = time.perf_counter()
    chunks = [
        range(first, min(first + CHUNK, options.runs + 1))
        for first in range(1, options.runs + 1, CHUNK)
    ]
    done = sum(map(len, play_all(one, chunks)))
    wall = time.perf_counter() - began
    print(f"{done} storms on {Workers().count} cores: {wall:.1f} s")
    held = wall * 1000 / done <= MOST_SECONDS and seconds < MOST_DAY
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
