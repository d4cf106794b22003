"""Scenario files as mappings, which the swarm varies and shrinks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beskar7.api.documents import read_file
from scenarios.engine.loader import build, find


def read_document(name_or_file: str) -> dict[str, Any]:
    """A scenario of the catalogue, or a file, that loads without a problem.

    Places of other files are absolute in it, as it may be written elsewhere.
    Raises :class:`beskar7.api.problems.DocumentError`.
    """
    path: Path = find(name_or_file)
    node = read_file(path)
    scenario = build(node)
    document: dict[str, Any] = node.plain()
    if places := scenario.world.hosts.personalities:
        document["world"]["hosts"]["personalities"] = list(places)
    if trace := scenario.load.arrivals.trace:
        document["load"]["machines"] = scenario.load.machines
        document["load"]["arrivals"]["trace"] = trace.place
    return document
