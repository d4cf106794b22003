"""Makes a plan: searches by the model, verifies by the controller, and says how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Literal

from beskar7.api.documents import Node
from beskar7.runtime import LiveRuntime
from scenarios.engine.expand import tuning_of
from scenarios.engine.loader import build
from scenarios.engine.objectives import Objective, with_served
from scenarios.engine.schema import Scenario
from scenarios.fidelity.levels import Fidelity
from scenarios.models.calibration import Calibration
from scenarios.models.known import check
from scenarios.models.learn import learn
from scenarios.models.play import Model
from scenarios.parallel.jobs import Crew, Workers, crew
from scenarios.planner.axes import Axis, axes
from scenarios.planner.bounds import Missed, explain
from scenarios.planner.configuration import Applied, applied
from scenarios.planner.figures import Figure, Step, Stress, figures, sensitivity, stresses
from scenarios.planner.search import Candidate, Space, cheapest
from scenarios.planner.trials import Overrides, Trials, load
from scenarios.planner.verify import Verification, room, verify

VERIFIED_SEEDS = 3
MOST_ROUNDS = 6
"""Searches, each with the room that the one before was found to lack."""
Ending = Literal["held", "found", "failed", "impossible", "interrupted"]
"""``held``: verified; ``found``: not verified; ``failed``: what was found did not stand the test,
as often as was tried; ``impossible``: no configuration keeps the objectives."""


@dataclass(frozen=True)
class Wish:
    """What is asked for. ``document``: the scenario's; ``overrides`` on it.

    ``verify`` None: nothing is verified. ``seed``: the first of twice ``runs`` in a row: half of
    them to search by, half to test what was found.
    """

    document: Node
    overrides: Sequence[str]
    objectives: tuple[Objective, ...]
    weights: Mapping[str, float]
    ranges: Sequence[str] = ()
    runs: int = 19
    confidence: float = 0.95
    seed: int = 1
    times: Calibration = field(default_factory=Calibration)
    verify: Fidelity | None = "code"
    workers: Workers = field(default_factory=Workers)


@dataclass
class Plan:
    """``values``: what was chosen on each axis, with its price in ``costs``.

    ``figures`` are of the ``fresh`` seeds, by which nothing was chosen (``tested``): who is the
    best of many on some seeds owes it to their luck, too. ``rows``: their runs' values.
    ``room``: what bounds were multiplied with, by objective, for what the test of an earlier
    round showed. ``objectives``: with what was added.
    """

    scenario: Scenario
    objectives: tuple[Objective, ...]
    confidence: float
    seeds: tuple[int, ...]
    fresh: tuple[int, ...]
    weights: Mapping[str, float]
    ending: Ending = "interrupted"
    axes: tuple[Axis, ...] = ()
    values: dict[str, str] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)
    tested: bool = False
    steps: list[Step] = field(default_factory=list)
    stresses: list[Stress] = field(default_factory=list)
    applied: Applied | None = None
    verifications: list[Verification] = field(default_factory=list)
    room: dict[str, float] = field(default_factory=dict)
    rounds: int = 0
    missed: list[Missed] = field(default_factory=list)
    runs: int = 0
    candidates: int = 0
    wall_seconds: float = 0.0

    @property
    def cost(self) -> float:
        return sum(self.costs.values())


Say = Callable[[Callable[[], str]], None]
"""Hears of progress; the text is made when it is shown."""


def make_plan(wish: Wish, say: Say = lambda text: None) -> Plan:
    """Search, verify, explain. Ctrl-C gives what was found until then.

    Raises:
        DocumentError: the scenario is wrong.
        NotModelled: it has something that the model does not know.
        NotLearned: the controller's operations could not be learned.
        AxisError, TooFewRuns, BackendError: what was asked for cannot be.
    """
    return _Planning(wish, say).run()


class _Planning:
    def __init__(self, wish: Wish, say: Say) -> None:
        self._wish = wish
        self._say = say
        self._built = lru_cache(maxsize=512)(self._build)
        self._base = self._built(())
        check(self._base)
        self._tuning = tuning_of(self._base)
        self._space = Space(axes(self._base, self._tuning, wish.ranges), wish.weights)
        self._best: Candidate | None = None
        self.plan = Plan(
            scenario=self._base,
            objectives=with_served(wish.objectives),
            confidence=wish.confidence,
            seeds=tuple(range(wish.seed, wish.seed + wish.runs)),
            fresh=tuple(range(wish.seed + wish.runs, wish.seed + 2 * wish.runs)),
            weights=wish.weights,
            axes=tuple(self._space.axes),
        )

    def _build(self, overrides: Overrides) -> Scenario:
        return build(deepcopy(self._wish.document), [*self._wish.overrides, *overrides])

    def run(self) -> Plan:
        now = LiveRuntime().now
        began = now()
        try:
            self._run(lambda: now() - began)
        except KeyboardInterrupt:
            # While the workers end: the plan is there, and it is not less for that.
            if not self.plan.candidates:
                raise
        self.plan.wall_seconds = now() - began
        return self.plan

    def _run(self, passed: Callable[[], float]) -> None:
        wish, plan = self._wish, self.plan
        with crew(wish.workers) as workers:
            # They load the model and the controller while this process learns from it.
            loaded = workers.begin(load, range(max(1, wish.workers.count)))
            scripts = learn(self._base)
            loaded()
            ready = lru_cache(maxsize=8)(
                lambda overrides: Model(self._built(overrides), wish.times, scripts)
            )
            trials = Trials(
                ready,
                plan.objectives,
                plan.seeds,
                wish.confidence,
                workers.round,
                lambda: self._say(self._line(trials, passed)),
            )
            try:
                self._make(trials, workers)
            except KeyboardInterrupt:
                plan.ending = "interrupted"
                # Whatever serves was played with all of these: it takes no further run.
                self._conclude(trials, plan.seeds)
            plan.runs, plan.candidates = trials.runs, trials.candidates

    def _line(self, trials: Trials, passed: Callable[[], float]) -> Callable[[], str]:
        def text() -> str:
            line = f"[{passed():5.1f} s] {trials.runs} runs of {trials.candidates} candidates"
            if self._best is None:
                return f"{line}; looking whether anything serves"
            values = ", ".join(f"{k} {v}" for k, v in self._space.values(self._best).items())
            return f"{line}; best so far costs {self._space.cost(self._best):.1f}: {values}"

        return text

    def _found(self, candidate: Candidate) -> None:
        self._best = candidate

    def _make(self, trials: Trials, workers: Crew) -> None:
        plan = self.plan
        while plan.rounds < MOST_ROUNDS:
            plan.rounds += 1
            self._best = None
            plan.steps, plan.stresses = [], []
            if cheapest(self._space, trials, self._found) is None:
                top = self._space.overrides(next(self._space.tops()))
                plan.ending = "impossible"
                plan.missed = explain(self._base, self._tuning, trials, top, self._tell)
                return
            self._conclude(trials, plan.fresh)
            lacking = self._test(trials, workers)
            if plan.ending in ("held", "found") or not lacking:
                break
            for name, factor in lacking.items():
                plan.room[name] = plan.room.get(name, 1.0) * factor
            trials.objectives = tuple(
                each.scaled(plan.room.get(each.name, 1.0)) for each in plan.objectives
            )
            words = ", ".join(f"{name} by {1 - room:.1%}" for name, room in plan.room.items())
            self._tell(f"it did not stand the test; searching with more room: {words}")
        if not plan.steps:
            self._explore(trials)

    def _explore(self, trials: Trials) -> None:
        """What is around the best, by the objectives as they were asked for."""
        assert self._best is not None
        plan, searched_by = self.plan, trials.objectives
        trials.objectives = plan.objectives
        plan.steps = sensitivity(self._space, trials, self._best)
        overrides = self._space.overrides(self._best)
        plan.stresses = stresses(trials, overrides, _world(self._base))
        trials.objectives = searched_by

    def _test(self, trials: Trials, workers: Crew) -> dict[str, float]:
        """By seeds that nothing was chosen by, and by the controller. The room that lacks."""
        plan, wish = self.plan, self._wish
        overrides = self._space.overrides(self._best or ())
        plan.ending = "failed"
        missed = [each for each in plan.figures if each.missed > trials.spare]
        if missed:
            return {
                each.objective.name: each.objective.bound / each.limit
                for each in missed
                if each.limit and math.isfinite(each.limit)
            }
        if wish.verify is None:
            plan.ending = "found"
            return {}
        seeds = plan.fresh[:VERIFIED_SEEDS]
        said = trials.measure(overrides, seeds)
        scenario = self._built(overrides)
        explore = partial(self._explore, trials)
        done = verify(
            wish.verify, scenario, plan.objectives, seeds, said, workers, self._tell, explore
        )
        plan.verifications.append(done)
        if done.held:
            plan.ending = "held"
            return {}
        # More room would not help against a harness that was too slow to tell.
        told = [
            (row, outcome.values)
            for row, outcome in zip(said, done.outcomes, strict=True)
            if not outcome.bottleneck
        ]
        return room(plan.objectives, [row for row, _ in told], [values for _, values in told])

    def _tell(self, text: str) -> None:
        self._say(lambda: text)

    def _conclude(self, trials: Trials, seeds: tuple[int, ...]) -> None:
        """Takes down what the best so far is."""
        plan, best = self.plan, self._best
        if best is None:
            return
        overrides = self._space.overrides(best)
        plan.values = self._space.values(best)
        plan.costs = {
            axis.name: self._space.share(number, best[number])
            for number, axis in enumerate(self._space.axes)
        }
        plan.applied = applied(self._built(overrides))
        plan.rows = trials.measure(overrides, seeds)
        plan.figures = figures(plan.objectives, plan.rows, plan.confidence)
        plan.tested = seeds == plan.fresh


def _world(scenario: Scenario) -> list[tuple[str, str, float]]:
    """What may become more than was thought."""
    hosts, load = scenario.world.hosts, scenario.load
    found = [
        ("machines", "load.machines", float(load.machines)),
        ("boot times", "world.hosts.scale.boot", hosts.boot_scale),
        ("the BMCs' answers", "world.hosts.scale.latency", hosts.latency_scale),
    ]
    process = load.arrivals.process
    if process in ("poisson", "constant"):
        found.append(("arrivals a second", f"load.arrivals.{process}", load.arrivals.rate))
    return [each for each in found if each[2] > 0]
