"""How fast virtual time is, and where the time goes.

By hand: ``python benchmarks/virtual_time.py [--hours 4] [--hosts 50 200 1000] [--top 15]``. A quiet
day: two managers with the documented defaults, hosts of four vendors that take as long as those do,
on average one machine per host and day that stays for two hours, played for ``--hours`` of it.
A storm: a machine for each host at once, until all are provisioned. A short run: five hosts and
five machines, as a swarm plays thousands of them in a warm process.

Speed is virtual seconds per second of this process's processor time, and per wall second: they
differ where others use the machine. Enrolment counts for the storm, for a day it is the column
beside. A sample every 10 ms of processor time, by the innermost subsystem that a stack is in, says
where the time goes. A run that broke an invariant is told. Writes out/bench/virtual_time.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from scenarios.engine.loader import loads
from scenarios.engine.progress import Snapshot
from scenarios.engine.result import Result
from scenarios.engine.trial import play

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out/bench/virtual_time.json"
GOAL = 700.0
"""Virtual seconds per wall second that issue 6 of the project asks of a day of 200 hosts."""
GOAL_HOSTS = 200
INTERVAL = 0.01
SEED = 7
SHORT_RUNS = 10
LIFETIME_HOURS = 2
SUBSYSTEMS = (
    ("beskar7/runtime/", "kernel"),
    ("simpy/", "kernel"),
    ("beskar7/kube/", "caches and queues"),
    ("beskar7/", "controller"),
    ("sushy/", "sushy"),
    ("requests/", "sushy"),
    ("urllib3/", "sushy"),
    ("emulator/kube/", "API and store"),
    ("sushy_tools/", "fleet"),
    ("flask/", "fleet"),
    ("jinja2/", "fleet"),
    ("werkzeug/", "fleet"),
    ("emulator/", "fleet"),
    ("scenarios/", "runner and oracles"),
)
"""The first that a file's path names; the rest is whoever's called it."""

WORLD = """\
name: {name}
world:
  hosts:
    count: {hosts}
    vendors: {{dell: 1, hpe: 1, lenovo: 1, supermicro: 1}}
    racks: 10
    scale: {{boot: 1, latency: 1}}
  managers: {{replicas: 2}}
load: {{machines: {machines}{load}}}
limits: {{timeout: {limit}, enrol_timeout: 2h}}
"""
SHORT = """\
name: short
world:
  hosts: {count: 5, vendors: {dell: 1, hpe: 1}, scale: {boot: 0.05}}
  managers: {replicas: 2}
load: {machines: 5}
limits: {timeout: 30m}
"""


def day(hosts: int, hours: float) -> str:
    per_second = hosts / 86_400
    load = (
        f", arrivals: {{poisson: {per_second:.8f}/s}}, lifetime: {{exponential: {LIFETIME_HOURS}h}}"
    )
    # Twice as many as come on average, so that they do not run out before the end.
    machines = max(2, round(2 * per_second * hours * 3600))
    limit = f"{round(hours * 60)}m"
    return WORLD.format(name="day", hosts=hosts, machines=machines, load=load, limit=limit)


def storm(hosts: int) -> str:
    return WORLD.format(name="storm", hosts=hosts, machines=hosts, load="", limit="24h")


@dataclass(slots=True)
class Speed:
    """``enrolment`` in processor seconds; the rest without it where it is not of interest."""

    name: str
    hosts: int
    virtual: float
    processor: float
    wall: float
    enrolment: float
    trace: str
    broken: list[str]

    @property
    def per_processor_second(self) -> float:
        return self.virtual / self.processor


class Stopwatch:
    """A run's progress as times: when the load began."""

    def __init__(self) -> None:
        self.began = self.load = (time.process_time(), time.perf_counter())

    def update(self, snapshot: Callable[[], Snapshot]) -> None:
        pass

    def note(self, elapsed: float, text: str) -> None:
        if text.startswith("the load begins"):
            self.load = time.process_time(), time.perf_counter()

    def close(self) -> None:
        pass


class Profile:
    """Samples of what ran."""

    def __init__(self) -> None:
        self.functions: Counter[str] = Counter()
        self.subsystems: Counter[str] = Counter()

    @contextmanager
    def taken(self) -> Iterator[None]:
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)

    def _sample(self, number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        code = frame.f_code
        self.functions[f"{_short(code.co_filename)} {code.co_qualname}"] += 1
        while frame is not None and not _subsystem(frame.f_code.co_filename):
            frame = frame.f_back
        self.subsystems[_subsystem(frame.f_code.co_filename) if frame else "other"] += 1

    def shares(self, of: Counter[str], top: int) -> dict[str, float]:
        return {name: count / of.total() for name, count in of.most_common(top)}


def _short(file: str) -> str:
    return file.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/").rpartition("/lib/")[2]


_SEEN: dict[str, str] = {}


def _subsystem(file: str) -> str:
    if file not in _SEEN:
        short = file.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/")
        _SEEN[file] = next((name for part, name in SUBSYSTEMS if short.startswith(part)), "")
    return _SEEN[file]


def measured(name: str, hosts: int, text: str, *, enrolment: bool) -> Speed:
    """Play it; ``enrolment`` counts as part of it."""
    scenario = loads(text)
    watch = Stopwatch()
    result = play(scenario, SEED, progress=watch)
    processor, wall = time.process_time(), time.perf_counter()
    evidence = result.evidence
    since, begun = (watch.began, evidence.began)
    if not enrolment:
        since, begun = watch.load, evidence.load_began or evidence.began
    return Speed(
        name,
        hosts,
        evidence.ended - begun,
        processor - since[0],
        wall - since[1],
        watch.load[0] - watch.began[0],
        str(evidence.trace_hash),
        broken(result),
    )


def broken(result: Result) -> list[str]:
    """What must not have happened. A day that is broken off leaves work: that is no fault."""
    return [
        item.name
        for item in result.invariants
        if item.verdict == "violated"
        and not (item.name == "terminal" and result.evidence.ending == "timeout")
    ]


def show(speed: Speed) -> None:
    print(
        f"{speed.name:<6} {speed.hosts:>6} {speed.virtual:>9.0f} {speed.processor:>9.2f} "
        f"{speed.per_processor_second:>8.0f} {speed.virtual / speed.wall:>8.0f} "
        f"{speed.enrolment:>9.2f}  {speed.trace[:12]}  {', '.join(speed.broken)}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed of virtual time")
    parser.add_argument("--hours", type=float, default=4.0, help="of a day, to be played")
    parser.add_argument("--hosts", type=int, nargs="+", default=[50, GOAL_HOSTS, 1000])
    parser.add_argument("--top", type=int, default=15, help="functions shown of each profile")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    measured("short", 5, SHORT, enrolment=True)  # imports, and what a process keeps
    found: list[Speed] = []
    profiles: dict[str, Profile] = {}
    columns = f"{'virtual s':>9} {'cpu s':>9} {'x cpu':>8} {'x wall':>8} {'enrol s':>9}"
    print(f"{'':<6} {'hosts':>6} {columns}  trace", flush=True)
    for hosts in args.hosts:
        for name, text in (("day", day(hosts, args.hours)), ("storm", storm(hosts))):
            profile = profiles[f"{name} of {hosts}"] = Profile()
            with profile.taken():
                speed = measured(name, hosts, text, enrolment=name == "storm")
            show(speed)
            found.append(speed)
    began = time.process_time()
    for seed in range(SHORT_RUNS):
        play(loads(SHORT), seed)
    short = (time.process_time() - began) / SHORT_RUNS
    print(f"a short run of 5 hosts and 5 machines: {1000 * short:.0f} ms of processor time")
    for name, profile in profiles.items():
        shares = profile.shares(profile.subsystems, len(SUBSYSTEMS))
        print(f"{name}: " + ", ".join(f"{part} {share:.0%}" for part, share in shares.items()))
    for name in profiles:
        if name != f"day of {GOAL_HOSTS}":
            continue
        print(f"own time, {name}:")
        for function, share in profiles[name].shares(profiles[name].functions, args.top).items():
            print(f"  {share:6.1%} {function}")
    for speed in found:
        if (speed.name, speed.hosts) == ("day", GOAL_HOSTS):
            print(
                f"goal: {GOAL:.0f} at {GOAL_HOSTS} hosts; reached {speed.per_processor_second:.0f}"
            )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        json.dumps(
            {
                "speeds": [asdict(speed) for speed in found],
                "short_run_seconds": short,
                "subsystems": {n: p.shares(p.subsystems, 20) for n, p in profiles.items()},
                "functions": {n: p.shares(p.functions, 40) for n, p in profiles.items()},
            },
            indent=1,
        ),
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
