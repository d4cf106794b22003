"""One perturbed run against the learned one: every invariant, and the same end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from beskar7.kube.reflector import RELIST_SECONDS
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import consumer_uid, phase, state
from scenarios.engine.result import Result
from scenarios.engine.schema import Act, ClearFault, Scenario, Trigger
from scenarios.engine.trial import play
from scenarios.sieve.points import Learned, Point
from scenarios.sieve.probe import Probe, Spans

PROMPTNESS = ("claimed-promptly", "never-idle")
"""Invariants of how soon an undisturbed system acts."""
MARGIN = 10.0
"""Seconds for what follows from a list that was read anew."""
Ends = Mapping[str, str]
"""What a user sees in the end: each machine's phase, and how many hosts are in which state."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """The learned run, whose end the others have to come to."""

    scenario: Scenario
    seed: int
    learned: Learned
    ends: Ends
    seconds: float
    """How long it lasted in the world."""
    shortfalls: tuple[str, ...]
    """Of the learned run itself: with any, the others have nothing to come to."""

    def without_sights(self) -> Lesson:
        """What a replay needs."""
        return replace(self, learned=Learned([], [], []))


@dataclass(frozen=True, slots=True)
class Finding:
    """A replay. ``shortfalls``: in words; none: it held."""

    point: Point
    shortfalls: tuple[str, ...]


def learn(scenario: Scenario, seed: int) -> Lesson:
    """Play ``scenario`` without a perturbation.

    Its checks are left out: how long things take is another question than whether they end well.
    What only the reading of a list anew repairs gets the time for three of them.
    """
    limits = replace(scenario.limits, timeout=scenario.limits.timeout + 3 * RELIST_SECONDS)
    scenario = replace(scenario, checks=(), limits=limits)
    probe = Probe()
    result = play(scenario, seed, progress=probe, prepare=probe.prepare)
    shortfalls = tuple(result.shortfalls())
    return Lesson(
        *(scenario, seed, probe.learned, ends(result.evidence)),
        seconds=result.virtual_seconds,
        shortfalls=shortfalls,
    )


def perturbed(lesson: Lesson, point: Point, spans: Spans) -> tuple[Result, Finding]:
    """Play the run once more, with one perturbation."""
    probe = Probe(point, spans)
    scenario = lesson.scenario
    if point.pattern == "unobserved":
        # Nobody can know of a lost event before the lists are read anew; then it has to be right.
        repaired = Act(Trigger(at=lesson.seconds + RELIST_SECONDS + MARGIN), ClearFault("none"))
        scenario = replace(scenario, acts=(*scenario.acts, repaired))
    result = play(scenario, lesson.seed, progress=probe, prepare=probe.prepare)
    return result, Finding(point, tuple(_shortfalls(lesson, point, probe, result)))


def _shortfalls(lesson: Lesson, point: Point, probe: Probe, result: Result) -> list[str]:
    kept = [item for item in result.invariants if item.name not in PROMPTNESS]
    said = replace(result, invariants=kept).shortfalls()
    if not probe.met:
        said.append("the run never came to this point")
    elif point.what and probe.met != point.what:
        said.append(f"the run went another way: it met {probe.met}, not {point.what}")
    reached = ends(result.evidence)
    for name in sorted({*reached, *lesson.ends}):
        was, should = reached.get(name, "nothing"), lesson.ends.get(name, "nothing")
        if was != should:
            said.append(f"in the end {name}: {was}, and {should} without the perturbation")
    return said


def ends(evidence: Evidence) -> Ends:
    """The outcome of a run."""
    history = evidence.history
    found = {
        track.name: "gone" if track.gone else phase(track.last) or "without a phase"
        for track in history.machines.values()
    }
    hosts = Counter(
        f"hosts {state(track.last)}{' and owned' if consumer_uid(track.last) else ''}"
        for track in history.hosts.values()
        if not track.gone
    )
    return found | {name: str(count) for name, count in hosts.items()}
