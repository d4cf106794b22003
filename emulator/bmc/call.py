"""The request that the application works on: which BMC, when, for whom."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.services.accounts import Account


@dataclass(slots=True)
class Call:
    """One request."""

    bmc: Bmc
    now: float
    wall: float
    user: Account | None = None
    """Who asks; None: the fleet's own account, or nobody."""
    shown: Callable[[], dict[str, Any]] = dict
    """The resource that is being written to, as a GET shows it now."""
    changed: Callable[[], None] = lambda: None
    """Says that what was shown before no longer holds."""


CURRENT: ContextVar[Call] = ContextVar("current-bmc-call")
