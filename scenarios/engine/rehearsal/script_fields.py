"""Reads the section ``rehearsal`` of a scenario file."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from beskar7.api.documents import Node
from beskar7.api.problems import Problems
from scenarios.engine.act_fields import read_act, read_action
from scenarios.engine.fields import Fields
from scenarios.engine.rehearsal.condition_fields import read_condition
from scenarios.engine.schema import Act, Action, Rehearsal, RestsOnElection

MAX_STEPS = 50
MAX_HINTS = 10


def read_rehearsal(
    fields: Fields, vendors: Collection[str], *, faults: bool
) -> tuple[Rehearsal, list[tuple[str, Node, Act]]]:
    """The rehearsal, and where the acts of its cause stand.

    ``faults``: the file has faults, so that these may be all of the cause.
    """
    problems = fields.problems
    acts = [
        (at, node, read_act(node, at, problems, vendors))
        for at, node in fields.items("cause", limit=MAX_STEPS)
    ]
    if not acts and not faults:
        fields.wrong("cause", "needs an act, unless the file has faults")
    conditions = {}
    for part in ("symptom", "recovery"):
        items = fields.items(part, limit=MAX_STEPS, least="needs a condition at least")
        conditions[part] = tuple(read_condition(node, at, problems) for at, node in items)
    needed = "needs a step at least; what mends itself is no rehearsal"
    remedy = tuple(
        read_step(node, at, problems, vendors)
        for at, node in fields.items("remedy", limit=MAX_STEPS, least=needed)
    )
    script = Rehearsal(
        cause=tuple(act for _, _, act in acts),
        symptom=conditions["symptom"],
        remedy=remedy,
        recovery=conditions["recovery"],
        hints=fields.texts("hints", limit=MAX_HINTS, length=500),
        breaks=_breaks(fields),
    )
    fields.finish()
    return script, acts


def _breaks(fields: Fields) -> tuple[RestsOnElection, ...]:
    names = fields.texts("breaks")
    known: dict[str, RestsOnElection] = {name: name for name in get_args(RestsOnElection)}
    wrong = [name for name in names if name not in known]
    if wrong:
        fields.wrong(
            "breaks", f"{wrong[0]!r} may not be broken by a cause; that may be {', '.join(known)}"
        )
    return tuple(known[name] for name in names if name in known)


def read_step(node: Node, path: str, problems: Problems, vendors: Collection[str]) -> Action:
    """One element of ``remedy``: an action without a trigger."""
    of = Fields(node, path, problems, node.where)
    for name in ("at", "when", "delay"):
        if of.has(name):
            of.wrong(name, "a remedy's step comes when the one before is done; leave it out")
    action = read_action(of, vendors)
    of.finish()
    return action
