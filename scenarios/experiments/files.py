"""From an experiment's file to what is to be played, or to everything that is wrong with it.

``docs/experiments/README.md`` tells how a file is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import product
from pathlib import Path
from string import Template

from beskar7.api.documents import MAX_OVERRIDE, Node, read_file
from beskar7.api.problems import DocumentError, Problem, Problems, Where, closest
from scenarios.engine.clocks import LEVELS, Fidelity
from scenarios.engine.fault_fields import NAME
from scenarios.engine.fields import Fields
from scenarios.engine.loader import find as find_scenario
from scenarios.engine.measure_names import MEASURES
from scenarios.experiments.findings import RULES, Rule
from scenarios.storms.storm import KEY as STORM
from scenarios.sweep.axes import Group, read_axis, zipped
from scenarios.sweep.curves import Factor, factor
from scenarios.sweep.design import Design, design
from scenarios.sweep.options import bounded_seeds

MOST_FACTORS = 3
"""What varies along x, from curve to curve, and from picture to picture."""
MAX_SENTENCE = 600


@dataclass(frozen=True, slots=True)
class Check:
    """A few points that are played at two levels, to see how far they are apart: the experiment's
    own, and ``against``. ``overrides`` are set at all of them."""

    groups: tuple[Group, ...]
    factors: tuple[Factor, ...]
    overrides: tuple[str, ...]
    seeds: range
    against: Fidelity


@dataclass(frozen=True, slots=True)
class Experiment:
    """``setting`` tells what is played, and ``level`` why at this ``fidelity``. The first factor
    goes along x, the second makes the curves, a third one pictures. ``verdicts``: by the first
    rule's outcome."""

    name: str
    question: str
    setting: str
    level: str
    document: Node
    groups: tuple[Group, ...]
    factors: tuple[Factor, ...]
    seeds: range
    fidelity: Fidelity
    measures: tuple[str, ...]
    rules: tuple[Rule, ...]
    verdicts: Mapping[str, str]
    source: str
    check: Check | None = None

    def design(self, seeds: range | None = None, fidelity: Fidelity | None = None) -> Design:
        """What is to be played. Raises DocumentError."""
        return design(
            self.document,
            source=self.source,
            groups=self.groups,
            seeds=seeds or self.seeds,
            fidelity=fidelity or self.fidelity,
        )

    def checks(self) -> tuple[Design, ...]:
        """The points of its check, at its own level and at the other; nothing without a check.

        Raises DocumentError.
        """
        check = self.check
        if check is None:
            return ()
        return tuple(
            design(
                self.document,
                source=self.source,
                groups=check.groups,
                seeds=check.seeds,
                fidelity=fidelity,
                overrides=check.overrides,
            )
            for fidelity in (self.fidelity, check.against)
        )


def experiments() -> dict[str, Path]:
    """Those that come along, by name."""
    folder = Path(str(resources.files("scenarios"))) / "experiments"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(name_or_file: str) -> Experiment:
    """By name, or from a file. Raises DocumentError."""
    known = experiments()
    if name_or_file in known:
        return read(known[name_or_file], name_or_file)
    if "/" in name_or_file or name_or_file.endswith((".yaml", ".yml")):
        return read(Path(name_or_file), name_or_file)
    message = f"no experiment of this name, and not a .yaml file; {closest(name_or_file, known)}"
    raise DocumentError([Problem(Where(name_or_file), "", message)])


def read(path: Path, source: str) -> Experiment:
    node = read_file(path)
    problems = Problems()
    top = Fields(node, "", problems, node.where)
    groups, factors = _grid(top, problems)
    measures = top.texts("measures", limit=8)
    for measure in measures:
        if measure not in MEASURES:
            top.wrong("measures", f'no measure "{measure}"; {closest(measure, MEASURES)}')
    if not measures:
        top.wrong("measures", "needs one at least, as in [queue_seconds.p95]")
    rules = tuple(
        _rule(Fields(item, at, problems, item.where), factors, measures)
        for at, item in top.items("findings", limit=8)
    )
    if not rules:
        top.wrong("findings", "needs one at least: an answer is computed from the figures")
    experiment = Experiment(
        name=top.text("name", pattern=NAME, example="dead-bmcs"),
        question=top.text("question"),
        setting=top.text("setting"),
        level=top.text("level"),
        document=_scenario(top),
        groups=groups,
        factors=factors,
        seeds=_seeds(top),
        fidelity=top.choice("fidelity", LEVELS),
        measures=measures,
        rules=rules,
        verdicts=_sentences(top, "verdicts", rules[0].kind if rules else ""),
        source=source,
        check=_check(top, problems),
    )
    top.finish()
    problems.raise_if_any()
    return experiment


def _scenario(top: Fields) -> Node:
    """``scenario`` is a whole one, or the name of one of the catalog's; or there is a ``storm``."""
    if top.has(STORM):
        if top.has("scenario"):
            top.wrong("scenario", f"stands beside {STORM}; one of the two is played")
        storm = top.node(STORM, required=True)
        return Node(top.where, {STORM: storm} if storm else {})
    node = top.node("scenario", required=True)
    if node is None or not isinstance(node.value, str):
        return node or Node(top.where, {})
    try:
        return read_file(find_scenario(node.value))
    except DocumentError as error:
        top.wrong("scenario", error.problems[0].message)
        return Node(top.where, {})


def _check(top: Fields, problems: Problems) -> Check | None:
    if not top.has("check"):
        return None
    of = top.child("check", required=True)
    groups, factors = _grid(of, problems)
    overrides = of.texts("set", length=MAX_OVERRIDE)
    check = Check(groups, factors, overrides, _seeds(of), of.choice("fidelity", LEVELS))
    of.finish()
    return check


def _seeds(top: Fields) -> range:
    text = top.text("seeds", pattern=r"\d+\.\.\d+", example="1..20")
    try:
        return bounded_seeds(text) if text else range(1, 2)
    except argparse.ArgumentTypeError as error:
        top.wrong("seeds", str(error))
        return range(1, 2)


def _grid(top: Fields, problems: Problems) -> tuple[tuple[Group, ...], tuple[Factor, ...]]:
    groups, factors = [], []
    for at, item in top.items("grid", limit=MOST_FACTORS):
        of = Fields(item, at, problems, item.where)
        texts = (of.text("set"),) if of.has_text("set") else of.texts("set", length=2048)
        label, names = of.text("label", ""), of.texts("names")
        of.finish()
        try:
            group = zipped([read_axis(text, f"{at}.set") for text in texts], f"{at}.set")
        except DocumentError as error:
            problems.found += [Problem(item.where, at, p.message) for p in error.problems]
            continue
        except IndexError:
            of.wrong("set", "is missing; write for example load.machines=10,20,40")
            continue
        if names and len(names) != len(group[0].values):
            of.wrong("names", f"has {len(names)} names for {len(group[0].values)} values")
            continue
        groups.append(group)
        factors.append(factor(group, label, names))
    if not groups and not problems.found:
        top.wrong("grid", "is empty; it says what varies along x, and from curve to curve")
    return tuple(groups), tuple(factors)


def _rule(fields: Fields, factors: Sequence[Factor], measures: Sequence[str]) -> Rule:
    kind = fields.choice("rule", tuple(RULES))
    others = [each.names for each in factors[1:]]
    curves = tuple(", ".join(names) for names in product(*others)) if others else ()
    measure = fields.choice("measure", tuple(measures) or ("",))
    # Without a second factor there is one curve, which is named by its measure.
    series = fields.choice("series", curves) if curves else measure
    against = ""
    if fields.has("against") or kind in ("crossover", "best"):
        places = factors[0].names if factors else ()
        against = fields.choice("against", (places if kind == "best" else curves) or ("",))
    rule = Rule(
        kind=kind,
        measure=measure,
        series=series,
        against=against,
        bound=fields.number("bound", 0.0, high=1e9),
        sentences=_sentences(fields, "sentences", kind),
    )
    fields.finish()
    return rule


def _sentences(fields: Fields, name: str, kind: str) -> Mapping[str, str]:
    """One for each outcome of the rule; their placeholders have to be the rule's."""
    outcomes, known = (RULES[kind].outcomes, RULES[kind].words) if kind else ((), ())
    of = fields.child(name, required=True)
    found = {outcome: of.text(outcome, limit=MAX_SENTENCE) for outcome in outcomes}
    for outcome, text in found.items():
        for word in Template(text).get_identifiers():
            if word not in known:
                of.wrong(outcome, f"${word} is nothing that {kind} finds; {closest(word, known)}")
    of.finish()
    return found
