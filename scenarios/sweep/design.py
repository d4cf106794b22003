"""A sweep before it is played: every point's scenario, read and checked."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

from beskar7.api.documents import Node
from beskar7.api.problems import DocumentError, Problem, Where
from scenarios.engine.canonical import digest
from scenarios.engine.clocks import Fidelity
from scenarios.engine.loader import build
from scenarios.engine.overrides import apply_override
from scenarios.engine.schema import Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.known import NotModelled, check
from scenarios.storms.play import refused
from scenarios.storms.storm import Storm, is_storm, read_storm
from scenarios.sweep.axes import Axis, Group, Setting, count_points, settings
from scenarios.sweep.codeprint import code_print

MAX_RUNS = 100_000


@dataclass(frozen=True, slots=True)
class Point:
    """One place of the grid; ``number`` from 0. Its scenario, or storm of claims, has no checks: a
    sweep measures."""

    number: int
    settings: tuple[Setting, ...]
    scenario: Scenario | Storm

    @property
    def values(self) -> dict[str, str]:
        return dict(self.settings)

    def __str__(self) -> str:
        return ", ".join(f"{path}={value}" for path, value in self.settings) or "as it is"


@dataclass(frozen=True, slots=True)
class Design:
    """``source`` and ``overrides`` as the user gave them; ``seeds`` are played at every point, so
    that points are compared on the same luck."""

    source: str
    overrides: tuple[str, ...]
    groups: tuple[Group, ...]
    seeds: range
    fidelity: Fidelity
    points: tuple[Point, ...]
    times: Calibration | None = None
    """Of the model alone; None: those that come along."""

    @property
    def axes(self) -> list[Axis]:
        return [each for group in self.groups for each in group]

    @property
    def count(self) -> int:
        """Runs in all."""
        return len(self.points) * len(self.seeds)

    def described(self) -> dict[str, object]:
        """What a later call has to agree with to go on with this sweep's results.

        The seeds are not among it: more of them may be asked for.
        """
        return {
            "fidelity": self.fidelity,
            "set": list(self.overrides),
            "grid": [[str(each) for each in group] for group in self.groups],
            "scenario": digest([_told(point.scenario) for point in self.points]),
            "code": code_print(self.fidelity),
            "calibration": None if self.times is None else self.times.values(),
        }


def _told(scenario: Scenario | Storm) -> object:
    """All of it that has a part in what is measured; what it is called has none."""
    if isinstance(scenario, Storm):
        return scenario
    parts = ("world", "load", "faults", "acts", "rehearsal", "limits")
    return {part: getattr(scenario, part) for part in parts}


def design(
    document: Node,
    *,
    source: str,
    groups: Sequence[Group],
    seeds: range,
    fidelity: Fidelity,
    overrides: Sequence[str] = (),
    times: Calibration | None = None,
) -> Design:
    """Read the scenario at every point of the grid.

    Raises:
        DocumentError: the first point at which it cannot be played, or there are too many runs.
    """
    count = count_points(groups) * len(seeds)
    if count > MAX_RUNS:
        message = f"{count} runs, points times seeds; the limit is {MAX_RUNS}"
        raise DocumentError([Problem(Where("--grid"), "", message)])
    plain = copy.deepcopy(document)
    for override in overrides:
        apply_override(plain, override)
    points = tuple(
        Point(number, chosen, _at(plain, chosen, fidelity))
        for number, chosen in enumerate(settings(groups))
    )
    return Design(source, tuple(overrides), tuple(groups), seeds, fidelity, points, times)


def _at(plain: Node, chosen: Sequence[Setting], fidelity: Fidelity) -> Scenario | Storm:
    document = copy.deepcopy(plain)
    for path, value in chosen:
        apply_override(document, f"{path}={value}", flag="--grid")
    where = Where("--fidelity " + fidelity)
    if is_storm(document):
        storm = read_storm(document)
        problem = refused(storm, fidelity)
        if problem:
            raise DocumentError([Problem(where, "", problem)])
        return storm
    scenario = replace(build(document), checks=())
    if fidelity == "model":
        try:
            check(scenario)
        except NotModelled as error:
            raise DocumentError([Problem(where, "", str(error))]) from None
    if fidelity == "live" and scenario.virtual_only:
        fields = ", ".join(scenario.virtual_only)
        message = f"{fields}: only in virtual time; use --fidelity code"
        raise DocumentError([Problem(where, "", message)])
    return scenario
