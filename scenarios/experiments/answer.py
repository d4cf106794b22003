"""An experiment's answer: its rules' sentences with the figures filled in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from scenarios.experiments.files import Experiment
from scenarios.experiments.findings import find
from scenarios.experiments.held import HELD_TITLE, Held
from scenarios.pages.content import Figure, Page, Plot, Section, Table, Verdict
from scenarios.sweep.curves import curves, plots
from scenarios.sweep.design import Design
from scenarios.sweep.page import to_page_table
from scenarios.sweep.runs import Key, Run
from scenarios.sweep.summary import summary


@dataclass(frozen=True, slots=True)
class Answer:
    """``verdict`` in a few words. ``lost``: runs that gave no result or broke a promise."""

    sentences: tuple[str, ...]
    verdict: str
    plots: tuple[Plot, ...]
    table: Table
    lost: int

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def answer(experiment: Experiment, design: Design, runs: Mapping[Key, Run]) -> Answer:
    """Judge the runs by the experiment's rules."""
    sentences, verdict = [], ""
    for number, rule in enumerate(experiment.rules):
        found = find(rule, curves(experiment.factors, runs, rule.measure))
        if found is None:
            sentences.append(f"Of {rule.series} there is no {rule.measure}: no run had any.")
            verdict = verdict or "not measured"
            continue
        told = Template(rule.sentences[found.outcome]).substitute(found.words)
        sentences.append(" ".join(told.split()))
        if number == 0:
            verdict = Template(experiment.verdicts[found.outcome]).substitute(found.words)
    pictures = tuple(
        plot for measure in experiment.measures for plot in _pictures(experiment, runs, measure)
    )
    rows = summary(design, runs, experiment.measures)
    table = to_page_table(experiment.factors, rows, experiment.measures)
    lost = sum(bool(run.error or run.shortfalls) for run in runs.values())
    return Answer(tuple(sentences), verdict, pictures, table, lost)


def _pictures(experiment: Experiment, runs: Mapping[Key, Run], measure: str) -> list[Plot]:
    """One for each value of a third factor; otherwise one."""
    *others, last = experiment.factors
    if len(others) < 2:
        return plots(experiment.factors, runs, measure, 0)
    count, found = len(last.names), []
    for at, name in enumerate(last.names):
        # The last factor changes first from point to point.
        part = {(p // count, seed): run for (p, seed), run in runs.items() if p % count == at}
        found += plots(others, part, measure, 0, f"{measure}, {name}")
    return found


def command(experiment: Experiment, design: Design) -> str:
    """What plays it again."""
    words = ["beskar7", "experiment", experiment.source]
    if design.seeds != experiment.seeds:
        words += ["--seeds", seeds_text(design)]
    if design.fidelity != experiment.fidelity:
        words += ["--fidelity", design.fidelity]
    return shlex.join(words)


def seeds_text(design: Design) -> str:
    return f"{design.seeds[0]}..{design.seeds[-1]}"


def page(
    experiment: Experiment, design: Design, found: Answer, made: str, held: Held | None = None
) -> Page:
    """The answer on the first screen, then the plots, then all figures."""
    verdict = Verdict(found.verdict)
    if found.lost:
        verdict = Verdict(f"{found.lost} runs fell short", "bad")
    seeds, again = f"seeds {seeds_text(design)}", command(experiment, design)
    played = f"{experiment.setting}\n\n{design.count} runs at the level `{design.fidelity}`. "
    figures = [
        Figure("runs", float(design.count), seeds, again, note="points times seeds"),
    ]
    return Page(
        title="Experiment",
        question=experiment.question,
        answer="\n\n".join(found.sentences),
        verdict=verdict,
        seed=seeds,
        command=again,
        sections=(
            Section("What was measured", "", plots=found.plots),
            Section("How", played + experiment.level, tables=(found.table,)),
            *([] if held is None else [Section(HELD_TITLE, held.text, tables=(held.table,))]),
        ),
        figures=figures,
        made=made,
    )
