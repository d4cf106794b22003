"""A machine of the model: what it is about, and when it got how far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

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
