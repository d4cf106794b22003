"""An experiment's answer: its rules' sentences with the figures filled in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

from scenarios.experiments.files import Experiment
from scenarios.experiments.findings import find
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
        plot
        for measure in experiment.measures
        for plot in plots(experiment.factors, runs, measure, 0)
    )
    rows = summary(design, runs, experiment.measures)
    table = to_page_table(experiment.factors, rows, experiment.measures)
    lost = sum(bool(run.error or run.shortfalls) for run in runs.values())
    return Answer(tuple(sentences), verdict, pictures, table, lost)


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


def page(experiment: Experiment, design: Design, found: Answer, made: str) -> Page:
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
        ),
        figures=figures,
        made=made,
    )
