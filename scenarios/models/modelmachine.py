"""A machine of the model: what it is about, and when it got how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from beskar7.runtime import Random
from scenarios.engine.schema import Which
from scenarios.models.machines import ModelHost


class State(Enum):
    WANTS = auto()
    """It has no host, and one may be free."""
    WAITS = auto()
    """No host is free that would do."""
    BOOTS = auto()
    READY = auto()
    LEAVES = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class ModelMachine:
    """When a machine got how far, in the model's seconds; None for not at all.

    ``eligible``: since when there was a host for it until its claim.
    """

    number: int
    created: float
    eligible: float
    variant: int | None = None
    """Its position in the mix; None: as its turn is."""
    state: State = State.WANTS
    waited: bool = False
    """It met an empty pool."""
    claimed: float | None = None
    begun: float | None = None
    """The first request of its provisioning to the BMC."""
    written: float | None = None
    """The first write of it."""
    provisioned: float | None = None
    deleted: float | None = None
    cleaned: float | None = None
    """The first request of what gives its host back."""
    released: float | None = None
    host: ModelHost | None = field(default=None, repr=False)


def chosen(machines: Sequence[ModelMachine], which: Which, dice: Random) -> list[ModelMachine]:
    """Those that are not deleted, in the order in which an act deletes them."""
    alive = [found for found in machines if found.deleted is None]
    if which == "provisioned-first":
        alive.sort(key=lambda found: found.provisioned is None)
    elif which == "waiting-first":
        alive.sort(key=lambda found: found.host is not None)
    elif which == "busy-first":
        alive.sort(key=lambda found: found.state is not State.BOOTS)
    elif which == "random":
        dice.shuffle(alive)
    return alive
