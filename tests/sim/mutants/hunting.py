"""How many seeds of the swarm it takes until a planted defect is found."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import yaml
from planting import Mutant, mutants
from probing import probed

from beskar7.runtime.virtual import Deadlock
from scenarios.engine.loader import loads
from scenarios.engine.trial import play
from scenarios.swarm.draw import draw


@dataclass(frozen=True)
class Catch:
    """``seeds``: how many were played from ``start`` on; ``found``: what the last one fell short
    of, empty when none of them did."""

    mutant: str
    start: int
    seeds: int
    found: str

    @property
    def caught(self) -> bool:
        return bool(self.found)


def hunt(mutant: Mutant, start: int, most: int) -> Catch:
    """Play seeds until one fails with the defect and holds without it; at most ``most``."""
    for number in range(most):
        seed = start + number
        held, reached = control(seed)
        if not held or mutant.name not in reached:
            continue
        with mutant.planted():
            found = shortfall(seed)
        if found:
            return Catch(mutant.name, start, number + 1, found)
    return Catch(mutant.name, start, most, "")


@cache
def control(seed: int) -> tuple[bool, frozenset[str]]:
    """Whether the seed holds without a defect, and which mutants its run would come across.

    A seed that fails anyway says nothing about them.
    """
    with probed(mutants().values()) as reached:
        found = shortfall(seed)
    return not found, frozenset(reached)


def shortfall(seed: int) -> str:
    """What the seed's run falls short of, in words; empty when it holds."""
    with _quiet():
        try:
            said = play(loads(yaml.safe_dump(draw(seed))), seed).shortfalls()
        except Deadlock as error:
            return f"deadlock: {error}"
        except Exception as error:  # a defect may break anything
            return f"{type(error).__name__}: {error}"
    return said[0] if said else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Thousands of runs with faults have much to say in their logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
