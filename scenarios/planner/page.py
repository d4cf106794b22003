"""``plan.html``: the answer first, then what it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from scenarios.engine.objectives import Objective
from scenarios.models.estimates import Estimate
from scenarios.pages.content import (
    Axis,
    Cell,
    Code,
    Figure,
    Mark,
    Page,
    Plot,
    Section,
    Series,
    Table,
    Value,
    Verdict,
)
from scenarios.planner.plan import Ending, Plan
from scenarios.planner.show import verdict
from scenarios.planner.verify import Verification
from scenarios.planner.words import told

VERDICTS: dict[Ending, Verdict] = {
    "held": Verdict("held", "good"),
    "found": Verdict("found, not verified", "warn"),
    "failed": Verdict("not held", "bad"),
    "impossible": Verdict("impossible", "bad"),
    "interrupted": Verdict("interrupted", "warn"),
}
SHOWN = 3
"""Objectives that get a tile."""


def page(plan: Plan, command: str, made: str) -> Page:
    seeds = _seeds(plan)
    sections = [*_sections(plan)]
    return Page(
        title="Plan",
        question=question(plan),
        answer=answer(plan),
        verdict=VERDICTS[plan.ending],
        seed=seeds,
        command=command,
        figures=[_tile(plan, number, command) for number in range(len(plan.figures))][:SHOWN],
        sections=sections,
        made=made,
    )


def question(plan: Plan) -> str:
    load, hosts = plan.scenario.load, plan.scenario.world.hosts
    vendors = len([name for name, weight in hosts.vendors.items() if weight > 0])
    fleet = f"{hosts.count} hosts" + (f" of {vendors} vendors" if vendors > 1 else "")
    objectives = ", ".join(str(each) for each in plan.objectives)
    return f"{fleet}, {load.machines} machines: what keeps {objectives} at the least cost?"


def answer(plan: Plan) -> str:
    if plan.missed:
        first = plan.missed[0]
        return f"{verdict(plan)}. {first.objective}: {first.words}."
    if not plan.values:
        return f"{verdict(plan)}."
    chosen = ", ".join(f"{name} {value}" for name, value in plan.values.items())
    return f"{chosen}. {verdict(plan)}."


def _seeds(plan: Plan) -> str:
    searched, tested = plan.seeds, plan.fresh
    return f"searched by {searched[0]} to {searched[-1]}, tested by {tested[0]} to {tested[-1]}"


def _tile(plan: Plan, number: int, command: str) -> Figure:
    figure = plan.figures[number]
    seeds = plan.fresh if plan.tested else plan.seeds
    mean, unit = figure.mean, figure.objective.unit
    note = f"the next run keeps {told(figure.limit, unit)}, margin {told(figure.margin, unit)}"
    low, high = _ends(mean)
    return Figure(
        str(figure.objective),
        mean.mean if math.isfinite(mean.mean) else None,
        f"seeds {seeds[0]} to {seeds[-1]}",
        command,
        unit,
        low,
        high,
        note,
    )


def _ends(found: Estimate) -> tuple[float | None, float | None]:
    if math.isfinite(found.mean) and math.isfinite(found.half):
        return found.low, found.high
    return None, None


def _value(found: Estimate, objective: Objective) -> Cell:
    if not math.isfinite(found.mean):
        return told(found.mean, objective.unit)
    return Value(found.mean, objective.unit, *_ends(found))


def _sections(plan: Plan) -> Iterator[Section]:
    if plan.missed:
        yield _impossible(plan)
    if not plan.values:
        return
    yield _chosen(plan)
    yield _kept(plan)
    if plan.steps:
        yield _steps(plan)
    if plan.stresses:
        yield _stresses(plan)
    for verification in plan.verifications:
        yield _verified(verification)


def _chosen(plan: Plan) -> Section:
    rows: list[list[Cell]] = [
        [axis.name, plan.values[axis.name], axis.values[0], axis.values[-1],
         round(plan.costs[axis.name], 4), axis.keys]
        for axis in plan.axes
    ]  # fmt: skip
    codes = []
    if plan.applied is not None:
        flags = " ".join(("beskar7 manager", *plan.applied.flags))
        codes = [
            Code("ConfigMap", plan.applied.config_map),
            Code("Managers", f"{plan.applied.scale}\n{flags}\n"),
        ]
    advice = plan.applied.advice if plan.applied else ()
    return Section(
        "The configuration",
        "\n\n".join(
            [
                "Costs are weights for a unit of each axis, a judgement that `--cost` changes; "
                f"in all {plan.cost:.4g}.",
                *(f"The documented rules say of it: {text}." for text in advice),
            ]
        ),
        tables=[Table(["axis", "chosen", "searched from", "to", "costs", "where"], rows)],
        codes=codes,
    )


def _kept(plan: Plan) -> Section:
    plots = []
    for number, figure in enumerate(plan.figures):
        values = [row[number] for row in plan.rows]
        if len(set(values)) < 2 or not all(map(math.isfinite, values)):
            continue
        objective = figure.objective
        plots.append(
            Plot(
                f"{objective.name}, run by run",
                Axis(objective.name, objective.unit),
                Axis("share of runs", "ratio"),
                [Series("runs", values)],
                kind="ecdf",
                marks=[Mark(objective.bound, f"objective {objective}", "x")],
            )
        )
    head = ["objective", "mean of a run", "the next run keeps", "margin", "runs that miss it"]
    rows: list[list[Cell]] = [
        [
            str(each.objective),
            _value(each.mean, each.objective),
            told(each.limit, each.objective.unit),
            told(each.margin, each.objective.unit),
            f"{each.missed} of {each.mean.count}",
        ]
        for each in plan.figures
    ]
    tested = "Seeds by which nothing was chosen." if plan.tested else "The seeds it was found by."
    said = (
        f"{tested} Each run gives one value, a percentile over its machines. With "
        f"{plan.confidence:.0%} confidence the next run stays within what is said of it: an order "
        "statistic of the runs, whatever their distribution. Means have 95 % intervals (Student)."
    )
    return Section("The objectives", said, plots=plots, tables=[Table(head, rows)])


def _steps(plan: Plan) -> Section:
    head = ["axis", "step", "costs", *(str(each.name) for each in plan.objectives), "then"]
    rows: list[list[Cell]] = []
    for step in plan.steps:
        changes = [
            _value(change, objective)
            for change, objective in zip(step.changes, plan.objectives, strict=True)
        ]
        then = "kept" if step.missed is None else f"breaks {step.missed.name}"
        rows.append([step.axis, f"{step.chosen} to {step.value}", step.cost, *changes, then])
    said = (
        "One step on one axis, the rest as it is: how far each objective's value changes in the "
        "mean of the same runs (the same luck), with 95 % intervals, and whether it is kept."
    )
    return Section("A step away", said, plots=_changes(plan), tables=[Table(head, rows)])


def _changes(plan: Plan) -> list[Plot]:
    """Of the first objective, where a step changes something that has an end."""
    objective = plan.objectives[0]
    kept = [
        (f"{step.axis} {step.value}", step.changes[0])
        for step in plan.steps
        if math.isfinite(step.changes[0].mean) and step.changes[0].mean
    ]
    if not kept:
        return []
    series = Series.of("change", [name for name, _ in kept], [each for _, each in kept])
    return [
        Plot(
            f"Change of {objective.name} by one step",
            Axis("step to"),
            Axis("change", objective.unit),
            [series],
            kind="bars",
        )
    ]


def _stresses(plan: Plan) -> Section:
    rows: list[list[Cell]] = [
        [each.what, each.change or f"none up to {each.tried}", str(each.missed or "")]
        for each in plan.stresses
    ]
    return Section(
        "What breaks it",
        "The least change of the world, the configuration as it is, after which an objective is "
        "no more kept.",
        tables=[Table(["more of", "breaks at", "breaks"], rows)],
    )


def _verified(found: Verification) -> Section:
    head = ["objective", *(f"seed {each.seed}" for each in found.outcomes)]
    head += ["model's error, median", "at worst"]
    rows: list[list[Cell]] = []
    for number, error in enumerate(found.errors):
        values: Sequence[Cell] = [
            told(each.values[number], error.objective.unit) for each in found.outcomes
        ]
        errors = [Value(error.median, "ratio"), Value(error.worst, "ratio")]
        rows.append([str(error.objective), *values, *errors])
    said = "; ".join(found.missed) if found.missed else "Every objective and invariant held"
    return Section(
        f"Verified: {found.fidelity}",
        f"The controller itself, by seeds that the model played, too. {said}.",
        tables=[Table(head, rows)],
    )


def _impossible(plan: Plan) -> Section:
    tables = []
    for missed in plan.missed:
        rows: list[list[Cell]] = [
            [cause.if_, _value(cause.mean, missed.objective), "yes" if cause.kept else "no"]
            for cause in missed.causes
        ]
        mean = told(missed.mean.mean, missed.objective.unit)
        note = f"As it is: {mean}, missed by {missed.missed} of {missed.runs} runs."
        tables.append(Table(["if", "mean of a run", "kept"], rows, note, str(missed.objective)))
    said = "\n\n".join(f"`{each.objective}`: {each.words}." for each in plan.missed)
    return Section("What bounds it", said, tables=tables)
