"""Writes ``docs/reference/events.md``: the reasons of Events and conditions that the code gives.

Reasons are read in the code; what they mean is in ``ci/event_reasons.yaml``. A reason without
words, and words without a reason, are told. ``--check`` only says whether the page is up to date.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import wholepage
import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "reference" / "events.md"
WORDS = ROOT / "ci" / "event_reasons.yaml"
SOURCES = (
    *("controllers/*.py", "redfish/port.py", "api/resources.py", "configuration.py"),
    "kube/leases.py",
)
REASON = re.compile(r"[A-Z][A-Za-z]+$")
HEAD = """\
# Events and conditions

Written by `python ci/events_page.py` from the code and `ci/event_reasons.yaml`; do not edit.

An Event's reason is one of these; its message says more. Events of one reason for one object are
summed up in one, with a count. Events of type Warning ask for a look. Conditions give a reason
while they are not True; `HostAvailable` gives the host's state, and `Ready` of a machine or a
cluster says what `InfrastructureReady` or `ControlPlaneEndpointReady` does.

| reason | Event | condition | of | when | what to do |
|---|---|---|---|---|---|
"""


class PageError(Exception):
    """What is missing, or is too much."""


class Reason(NamedTuple):
    """``types`` of its Events, and the ``conditions`` that give it, as far as the code says so."""

    types: set[str]
    conditions: set[str]


def texts(node: ast.AST) -> list[str]:
    """The reasons that an expression may be."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if REASON.match(node.value) else []
    return []


def camel(name: str) -> str:
    """``HOST_PROVISIONED`` as the condition's type, ``HostProvisioned``."""
    return "".join(word.title() for word in name.split("_"))


def given(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """(reason, type of its Event, condition) of every place that names one; empty where it says
    neither."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name, args = getattr(node.func, "attr", getattr(node.func, "id", "")), node.args
            if name == "event" and len(args) == 4:
                type_ = args[1].value if isinstance(args[1], ast.Constant) else ""
                yield from ((reason, str(type_), "") for reason in texts(args[2]))
            elif name == "condition" and len(args) > 3:
                of = camel(args[1].attr) if isinstance(args[1], ast.Attribute) else ""
                yield from ((reason, "", of) for reason in texts(args[3]))
            elif name == "_fail" and len(args) == 3:
                yield from ((reason, "Warning", "InfrastructureReady") for reason in texts(args[1]))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == "reason" for each in targets):
                yield from ((reason, "", "") for reason in texts(node.value))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield from (
                (reason, "", "") for first in node.value.elts[:1] for reason in texts(first)
            )


def reasons() -> dict[str, Reason]:
    """All that the code names."""
    found: dict[str, Reason] = {}
    for pattern in SOURCES:
        for path in sorted((ROOT / "beskar7").glob(pattern)):
            for name, type_, condition in given(ast.parse(path.read_text("utf-8"))):
                reason = found.setdefault(name, Reason(set(), set()))
                reason.types.update({type_} - {""})
                reason.conditions.update({condition} - {""})
    return found


def page() -> str:
    """Raises :class:`PageError` where words and code do not fit."""
    words = yaml.safe_load(WORDS.read_text("utf-8"))
    found = reasons()
    if found.keys() != words.keys():
        missing, stale = sorted(found.keys() - words), sorted(words.keys() - found.keys())
        raise PageError(f"{WORDS.name}: without words: {missing}; not in the code: {stale}")
    rows = []
    for name, reason in sorted(found.items()):
        said = words[name]
        types = sorted(reason.types | set(said.get("event", "").split()))
        of = sorted(reason.conditions | set(said.get("condition", "").split()))
        if not types and not of:
            raise PageError(f"{WORDS.name}: {name}: say the event's type, or the condition")
        cells = [f"`{name}`", ", ".join(types), ", ".join(f"`{each}`" for each in of)]
        rows.append(f"| {' | '.join([*cells, said['of'], said['when'], said['do']])} |")
    return HEAD + "\n".join(rows) + "\n"


def main(arguments: list[str] | None = None) -> int:
    return wholepage.main(TARGET, page, __file__, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
