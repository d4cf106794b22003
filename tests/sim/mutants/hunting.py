"""How many seeds of the swarm it takes until a planted defect is found."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import yaml
from planting import mutants
from probing import probed

from beskar7.runtime.virtual import Deadlock
from scenarios.engine.loader import loads
from scenarios.engine.trial import play
from scenarios.swarm.draw import draw


class Unsound(Exception):
    """The seed falls short without any defect, so it says nothing about one; ``args[0]``: of what.

    It is a finding of its own.
    """


def found_at(name: str, seed: int) -> str:
    """What the seed's run falls short of with this defect; empty when of nothing.

    Raises Unsound.
    """
    found, reached = control(seed)
    if found:
        raise Unsound(found)
    if name not in reached:
        return ""
    with mutants()[name].planted():
        return shortfall(seed)


@cache
def control(seed: int) -> tuple[str, frozenset[str]]:
    """The shortfall without a defect, and which mutants the seed's run would come across."""
    with probed(mutants().values()) as reached:
        found = shortfall(seed)
    return found, frozenset(reached)


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
