"""A whole plan on a world small enough to know the answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from beskar7.api.documents import parse
from beskar7.config import parse_tuning
from scenarios.engine.objectives import parse_objective
from scenarios.parallel.jobs import Crew, Workers
from scenarios.planner import plan as planning
from scenarios.planner.costs import weights
from scenarios.planner.plan import Plan, Wish, make_plan

pytestmark = pytest.mark.sim

TEXT = """
name: planned
world:
  hosts: {count: 8, vendors: {dell: 1}, scale: {boot: 0.05, latency: 0.5}}
load: {machines: 6}
limits: {timeout: 30m}
"""
FEW = ("replicas=2", "reconciles=10", "mode=claims", "algorithm=deterministic", "queue=50")
"""Axes that nothing here depends on, left out to be quick."""


def wish(objective: str, **changes: object) -> Wish:
    made = Wish(
        document=parse(TEXT, "planned.yaml"),
        overrides=(),
        objectives=(parse_objective(objective),),
        weights=weights([]),
        ranges=FEW,
        verify=None,
        workers=Workers(1),
    )
    return replace(made, **changes)


def test_the_cheapest_is_found_and_the_controller_keeps_it() -> None:
    plan = make_plan(wish("p99(time_to_provisioned)<30s", verify="code"))
    assert plan.ending == "held"
    assert plan.values["hosts"] == "6"  # a host for each machine, and none to spare
    assert plan.cost == pytest.approx(sum(plan.costs.values()))
    figure = plan.figures[0]
    assert figure.missed == 0
    assert 0.0 < figure.mean.mean < figure.limit < 30.0
    assert figure.margin == pytest.approx(30.0 - figure.limit)
    # One host less leaves a machine without: the step says so, whatever is changed beside it.
    fewer = next(step for step in plan.steps if step.axis == "hosts" and step.value == "5")
    assert fewer.missed is not None
    assert fewer.cost == -10.0
    # What is verified is this configuration, at seeds that the search has not seen.
    verified = plan.verifications[-1]
    assert {outcome.seed for outcome in verified.outcomes} <= set(plan.fresh)
    assert not set(plan.fresh) & set(plan.seeds)
    assert all(outcome.values[0] < 30.0 for outcome in verified.outcomes)
    assert verified.errors[0].median < 0.15
    # The ConfigMap to apply is one that the controller takes, and is what was verified.
    assert plan.applied is not None
    data = parse(plan.applied.config_map, "plan").plain()["data"]
    assert str(parse_tuning(data).worker_count) == plan.values["workers"]


def test_a_world_that_grows_breaks_it_somewhere() -> None:
    plan = make_plan(wish("p99(time_to_provisioned)<30s"))
    assert plan.ending == "found"
    grown = {stress.what: stress for stress in plan.stresses}
    assert grown["machines"].change == "+1"
    assert grown["boot times"].change is not None


def test_what_cannot_be_is_explained_by_what_bounds_it() -> None:
    boots = make_plan(wish("p50(time_to_provisioned)<5s"))
    assert boots.ending == "impossible"
    assert boots.values == {}
    assert "a lone machine" in boots.missed[0].words
    assert boots.missed[0].over > 0.0
    hosts = make_plan(wish("p99(time_to_provisioned)<60s", overrides=("load.machines=9",)))
    assert hosts.ending == "impossible"
    assert "twice as many hosts" in hosts.missed[0].words


def stopping_after(rounds: int, told: list[str]) -> Callable[[Callable[[], str]], None]:
    def say(text: Callable[[], str]) -> None:
        told.append(text())
        if len(told) == rounds:
            raise KeyboardInterrupt

    return say


def test_who_stops_it_gets_the_best_so_far() -> None:
    asked = wish("p99(time_to_provisioned)<30s")
    told: list[str] = []
    plan: Plan = make_plan(asked, stopping_after(15, told))
    assert plan.ending == "interrupted"
    assert not plan.tested
    assert f" {plan.runs} runs of" in told[-1]  # none was made for the sake of the answer
    assert plan.figures[0].missed == 0
    assert plan.applied is not None
    early = make_plan(asked, stopping_after(1, []))
    assert (early.ending, early.values) == ("interrupted", {})


def test_who_stops_it_while_the_workers_end_gets_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def stopped(workers: Workers) -> Iterator[Crew]:
        yield Crew()
        raise KeyboardInterrupt

    asked = wish("p99(time_to_provisioned)<30s")
    whole = make_plan(asked)
    monkeypatch.setattr(planning, "crew", stopped)
    plan = make_plan(asked)
    assert plan.ending == whole.ending == "found"
    assert (plan.values, plan.figures) == (whole.values, whole.figures)
    assert plan.wall_seconds > 0.0


def test_a_plan_is_a_function_of_its_seed() -> None:
    asked = wish("p99(time_to_provisioned)<30s")
    one, again = make_plan(asked), make_plan(asked)
    assert one.values == again.values
    assert one.figures == again.figures
    assert one.runs == again.runs


def test_what_fails_the_test_is_searched_anew_with_more_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the controller took half as long again as the model says."""
    honest = planning.verify

    def slower(*args: object, **kwargs: object) -> object:
        found = honest(*args, **kwargs)  # type: ignore[arg-type] # passed on
        outcomes = tuple(
            replace(each, values=(each.values[0] * 1.5, *each.values[1:]))
            for each in found.outcomes
        )
        kept = all(each.values[0] < 30.0 for each in outcomes)
        return replace(found, outcomes=outcomes, missed=() if kept else ("seed 20: too slow",))

    monkeypatch.setattr(planning, "verify", slower)
    plan = make_plan(wish("p99(time_to_provisioned)<30s", verify="code"))
    assert plan.ending == "held"
    assert plan.rounds == 2
    assert plan.room["p99(time_to_provisioned)"] == pytest.approx(1 / 1.5, rel=0.1)
    assert plan.figures[0].limit < 20.5
