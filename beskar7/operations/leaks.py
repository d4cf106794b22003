"""Watch the managers' memory and tasks for a while, and say whether they leak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from beskar7.api.errors import ApiError, Forbidden
from beskar7.api.kinds import POD
from beskar7.operations.cluster import Cluster
from beskar7.operations.leaks_verdict import (
    MEMORY,
    TASKS,
    ManagerVerdict,
    Sample,
    judge_manager,
    overall,
)
from beskar7.operations.podstatus import SELECTOR, life, pod_name
from beskar7.operations.series import Series

LOAD = (
    "beskar7_controller_physicalhost_states_total",
    "beskar7_controller_beskar7machine_states_total",
)
"""Gauges of the leader: hosts and machines that there are, which its caches hold."""
LEADER = "beskar7_leader"
Progress = Callable[[str], None]


@dataclass(slots=True)
class Watch:
    """The samples of each manager, in the order of time."""

    began: float
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Of the manager that has most."""
        return max((len(each) for each in self.samples.values()), default=0)


@dataclass(frozen=True, slots=True)
class Leaks:
    """What a watch came to."""

    watch: Watch
    managers: tuple[ManagerVerdict, ...]

    @property
    def verdict(self) -> str:
        return overall(self.managers)

    def to_json(self) -> dict[str, Any]:
        """Plain data: bytes, seconds, growth an hour."""
        return {
            "verdict": self.verdict,
            "seconds": self.watch.seconds,
            "interrupted": self.watch.interrupted,
            "notes": self.watch.notes,
            "managers": [
                asdict(each)
                | {
                    "grown_sites": dict(each.grown_sites),
                    "grown_tasks": dict(each.grown_tasks),
                    "samples": [
                        {
                            "at": sample.at - self.watch.began,
                            "life": sample.life,
                            "leads": sample.leads,
                            "load": sample.load,
                            MEMORY: sample.memory,
                            TASKS: sample.value(TASKS),
                        }
                        for sample in self.watch.samples.get(each.manager, ())
                    ],
                }
                for each in self.managers
            ],
        }


def leaks(
    cluster: Cluster, seconds: float, every: float, progress: Progress = lambda _: None
) -> Leaks:
    """Look at all managers every ``every`` seconds, for ``seconds``.

    An interrupt ends the watch; what was seen until then is judged. Raises an ApiError when not
    even the first look succeeds; later ones that fail are left out and noted.
    """
    runtime = cluster.runtime
    watch = Watch(runtime.now())
    load = 0.0
    try:
        while True:
            try:
                load = look(cluster, watch, load)
            except ApiError as error:
                if not watch.count:
                    raise
                _note(watch, f"a look at the managers failed: {error}")
            if watch.count <= 1:
                watch.began = runtime.now()  # the first look may have a client to load
            watch.seconds = runtime.now() - watch.began
            left = seconds - watch.seconds
            progress(_told(watch, left))
            if left <= 0:
                break
            runtime.sleep(min(every, left))
    except KeyboardInterrupt:
        watch.interrupted = True
    found = tuple(judge_manager(name, each) for name, each in sorted(watch.samples.items()))
    return Leaks(watch, found)


def look(cluster: Cluster, watch: Watch, load: float) -> float:
    """One sample of each manager; the load as it is, or as it was where nobody leads just now.

    Raises an ApiError.
    """
    lives = _lives(cluster)
    usage = cluster.usage()
    try:
        profiles = cluster.profiles()
    except Forbidden as error:
        _note(watch, f"tasks are not told: {error}")
        profiles = {}
    series = {name: _series(text) for name, text in cluster.metrics().items()}
    now = cluster.runtime.now()
    leads = {
        name: any(value > 0 for _, value in each.find(LEADER)) for name, each in series.items()
    }
    counted = sum(
        value for each in series.values() for name in LOAD for _, value in each.find(name)
    )
    load = counted if any(leads.values()) else load
    for name in sorted({*lives, *(usage or {}), *profiles}):
        profile, used = profiles.get(name), (usage or {}).get(name)
        memory = used.memory if used is not None else 0
        if usage is None and profile is not None:
            memory = profile.memory
        if not memory and profile is None:
            continue  # it does not run, or nobody can tell
        watch.samples.setdefault(name, []).append(
            Sample(
                now,
                lives.get(name, name),
                leads.get(name, False),
                load,
                float(memory) if memory else None,
                None if profile is None else dict(profile.tasks),
                {} if profile is None else dict(profile.heap),
            )
        )
    if usage is None:
        _note(
            watch, "nobody measures what pods use (no metrics-server): their heap is told instead"
        )
    return load


def _lives(cluster: Cluster) -> Mapping[str, str]:
    """Which life of which pod runs; empty where pods may not be listed."""
    try:
        pods = cluster.kube.list(POD, cluster.namespace, label_selector=SELECTOR).items
    except ApiError:
        return {}
    return {pod_name(pod): f"{pod['metadata'].get('uid', '')} {life(pod)}" for pod in pods}


def _series(text: str) -> Series:
    """Of what is needed alone: the parser is slow."""
    lines = [line for line in text.splitlines() if line.startswith((LEADER, *LOAD))]
    try:
        return Series.of("\n".join(lines) + "\n")
    except ValueError:
        return Series()


def _note(watch: Watch, text: str) -> None:
    if text not in watch.notes:
        watch.notes.append(text)


def _told(watch: Watch, left: float) -> str:
    newest = []
    for name, samples in sorted(watch.samples.items()):
        memory, tasks = samples[-1].memory, samples[-1].value(TASKS)
        size = "-" if memory is None else f"{memory / 2**20:.1f} MiB"
        count = "-" if tasks is None else f"{tasks:.0f} tasks"
        newest.append(f"{name.rpartition('-')[2]} {size} {count}")
    return f"{watch.count} samples, {max(0.0, left):.0f} s left: {', '.join(newest)}"
