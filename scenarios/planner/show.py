"""A plan on the terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scenarios.planner.plan import Plan
from scenarios.planner.verify import Verification
from scenarios.planner.words import change, interval, share, told

WIDTH = 120
STYLES = {"held": "bold green", "found": "bold green", "interrupted": "yellow"}


def verdict(plan: Plan) -> str:
    """The answer in a sentence."""
    sure = f"{plan.confidence:.0%} confidence"
    match plan.ending:
        case "held":
            last = plan.verifications[-1]
            how = f"verified by {len(last.outcomes)} runs of the controller ({last.fidelity})"
            return f"PLAN keeps its objectives with {sure}, {how}"
        case "found":
            return f"PLAN keeps its objectives with {sure} by the model; not verified"
        case "failed":
            return "NO PLAN: the best that was found did not stand the test"
        case "impossible":
            return "NO PLAN: no configuration in the ranges keeps the objectives"
    if not plan.values:
        return "INTERRUPTED before anything was found that serves"
    return "INTERRUPTED: the best so far, which need not be the cheapest, and was not tested"


def show(plan: Plan, console: Console) -> None:
    """Tables, and the verdict last."""
    if not console.is_terminal:
        console.width = WIDTH
    if plan.values:
        _chosen(plan, console)
        _objectives(plan, console)
    for step in ("missed", "steps", "stresses"):
        if getattr(plan, step):
            _TABLES[step](plan, console)
    for verification in plan.verifications:
        _verification(verification, console)
    if plan.applied is not None:
        _applied(plan, console)
    console.print(Text(verdict(plan), style=STYLES.get(plan.ending, "bold red")), soft_wrap=True)
    console.print(
        f"{plan.runs} runs of {plan.candidates} candidates in {plan.wall_seconds:.1f} s; "
        f"searched by seeds {plan.seeds[0]} to {plan.seeds[-1]}, tested by {plan.fresh[0]} to "
        f"{plan.fresh[-1]}"
    )


def _chosen(plan: Plan, console: Console) -> None:
    table = _table("axis", "chosen", "searched", "costs", "key")
    for axis in plan.axes:
        first, last = axis.values[0], axis.values[-1]
        searched = f"{first} to {last}" if len(axis.values) > 3 else ", ".join(axis.values)
        cost = f"{plan.costs[axis.name]:.4g}"
        table.add_row(axis.name, plan.values[axis.name], searched, cost, axis.keys)
    table.add_row("", "", "", f"{plan.cost:.4g}", "in all")
    console.print(table)
    spare = int(plan.values["hosts"]) - plan.scenario.load.machines
    if plan.scenario.load.lifetime is None and spare >= 0:
        console.print(f"{spare} hosts to spare beside one for each machine.")
    console.print()


def _objectives(plan: Plan, console: Console) -> None:
    table = _table(
        "objective", "mean over runs (95 %)", f"next run, {plan.confidence:.0%}", "margin"
    )
    table.add_column("runs that miss it")
    for each in plan.figures:
        unit = each.objective.unit
        table.add_row(
            str(each.objective),
            interval(each.mean, unit),
            told(each.limit, unit),
            told(each.margin, unit),
            f"{each.missed} of {each.mean.count}",
        )
    console.print(table)
    console.print()


def _missed(plan: Plan, console: Console) -> None:
    for missed in plan.missed:
        unit = missed.objective.unit
        mean = interval(missed.mean, unit)
        console.print(
            Text(
                f"{missed.objective}: at best {mean}; {missed.missed} of {missed.runs} runs miss "
                f"it. {missed.words[0].upper()}{missed.words[1:]}."
            ),
            soft_wrap=True,
        )
        table = _table("if", "mean (95 %)", "kept")
        for cause in missed.causes:
            table.add_row(cause.if_, interval(cause.mean, unit), "yes" if cause.kept else "no")
        console.print(table)
    console.print()


def _steps(plan: Plan, console: Console) -> None:
    names = [str(each.name) for each in plan.objectives]
    table = _table("one step", "", "costs", *names, "then")
    idle = []
    for step in plan.steps:
        cells = [
            change(each, objective.unit)
            for each, objective in zip(step.changes, plan.objectives, strict=True)
        ]
        if all(cell == "0" for cell in cells):
            idle.append(step.axis)
            continue
        then = "kept" if step.missed is None else f"breaks {step.missed.name}"
        style = "" if step.missed is None else "yellow"
        row = (step.axis, f"{step.chosen} -> {step.value}", f"{step.cost:+.4g}", *cells, then)
        table.add_row(*row, style=style)
    console.print(table)
    if idle:
        names = list(dict.fromkeys(idle))
        console.print(f"A step makes no difference here on: {', '.join(names)}.")
    console.print()


def _stresses(plan: Plan, console: Console) -> None:
    table = _table("the least change of the world that breaks it", "", "breaks")
    for each in plan.stresses:
        broken = each.change or f"none up to {each.tried}"
        table.add_row(each.what, broken, str(each.missed or ""))
    console.print(table)
    console.print()


_TABLES = {"missed": _missed, "steps": _steps, "stresses": _stresses}


def _verification(found: Verification, console: Console) -> None:
    table = _table(
        f"verified ({found.fidelity})",
        *(f"seed {each.seed}" for each in found.outcomes),
        "model's error",
        "at worst",
    )
    for number, error in enumerate(found.errors):
        values = [told(each.values[number], error.objective.unit) for each in found.outcomes]
        median = "-" if math.isnan(error.median) else f"{error.median * 100:.1f} %"
        table.add_row(str(error.objective), *values, median, share(error.worst))
    console.print(table)
    for said in found.missed:
        console.print(Text(f"not kept: {said}", style="red"), soft_wrap=True)
    console.print()


def _applied(plan: Plan, console: Console) -> None:
    assert plan.applied is not None
    console.print(Text(plan.applied.config_map), soft_wrap=True)
    console.print(Text(f"# {plan.applied.scale}"), soft_wrap=True)
    if plan.applied.flags:
        console.print(Text(f"# beskar7 manager {' '.join(plan.applied.flags)}"), soft_wrap=True)
    for text in plan.applied.advice:
        console.print(Text(f"# advice: {text}"), soft_wrap=True)
    console.print()


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
