"""The end that a run would have had if nothing had gone wrong: its users have to see the same.

The reference is the same document without faults and without deaths of managers, played with the
same seed. Who got which host may differ, and which of several machines had to wait; how many of
each kind are served, how many wait, and in which states the hosts are, may not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import requirements
from scenarios.engine.history import deleting, phase, state
from scenarios.engine.loader import loads
from scenarios.engine.trial import play

MISFORTUNES = ("kill_manager", "start_manager", "add_fault", "clear_fault")
"""Acts that a run without misfortune lacks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What users see in the end. ``machines`` counts by requirements and phase; ``hosts`` by
    state."""

    machines: Counter[tuple[str, str]]
    hosts: Counter[str]

    @classmethod
    def of(cls, evidence: Evidence) -> Outcome:
        history = evidence.history
        return cls(
            Counter(
                (repr(sorted(requirements(track.last).items())), _seen(track.last))
                for track in history.machines.values()
                if track.last
            ),
            Counter(state(track.last) for track in history.hosts.values() if track.last),
        )

    @property
    def kinds(self) -> Counter[str]:
        """Machines by requirements."""
        found: Counter[str] = Counter()
        for (kind, _), count in self.machines.items():
            found[kind] += count
        return found

    @property
    def served(self) -> int:
        return sum(count for (_, seen), count in self.machines.items() if seen == "Provisioned")

    def __str__(self) -> str:
        machines: Counter[str] = Counter()
        for (_, seen), count in self.machines.items():
            machines[seen] += count
        parts = [f"{count} machines {seen}" for seen, count in sorted(machines.items())]
        parts += [f"{count} hosts {at}" for at, count in sorted(self.hosts.items())]
        return ", ".join(parts) or "nothing"


def _seen(machine: Mapping[str, Any] | None) -> str:
    return "Deleting" if deleting(dict(machine or {})) else phase(dict(machine or {})) or "Pending"


def without_misfortune(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of the reference."""
    calm = deepcopy(dict(document))
    calm["faults"] = []
    calm["acts"] = [
        act for act in calm.get("acts") or [] if not any(name in act for name in MISFORTUNES)
    ]
    return calm


def deviation(document: Mapping[str, Any], seed: int, evidence: Evidence) -> str:
    """How the end of a run of ``document`` differs from its reference, in words; empty: not.

    Nothing is said of runs whose faults stayed, or which by their acts and lifetimes (which ask
    for the machines that are there at a moment) had other machines to serve in the end.
    """
    if evidence.ending != "settled" or any(window.end is None for window in evidence.faults):
        return ""
    calm = loads(yaml.safe_dump(without_misfortune(document)))
    reference = play(calm, seed).evidence
    if reference.ending != "settled":
        return f"without misfortune it ended {reference.ending}: {reference.reason}"
    ours, theirs = Outcome.of(evidence), Outcome.of(reference)
    if ours.kinds != theirs.kinds:
        return ""
    if len(ours.kinds) <= 1:
        same = ours == theirs
    else:
        # Each end is one in which nobody can be served any more, but who came first may have
        # taken what only another could use: one such end serves half of what another one does.
        same = 2 * ours.served >= theirs.served and 2 * theirs.served >= ours.served
    return "" if same else f"{ours}; without misfortune: {theirs}"
