"""A call at a later moment of the model: the lightest thing that SimPy's loop can carry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

from beskar7.runtime.kernel import Due


class Later(Due):
    """``then`` is called once, when it is due. Nothing can wait for it, as nothing has to.

    The runtime's environment fires it; SimPy's own finds in it what it needs of an event.
    """

    __slots__ = ("_then", "callbacks")
    _ok = True

    def __init__(self, then: Callable[[], None]) -> None:
        # A Timeout's list of callbacks and its values cost as much again as the call.
        self._then = then
        self.callbacks: tuple[Callable[[Later], None], ...] | None = _FIRE

    def fire(self) -> None:
        self._then()


_FIRE = (Later.fire,)


def after(env: simpy.Environment, seconds: float, then: Callable[[], None]) -> None:
    """Call ``then`` in so many seconds, at once (though not within this call) for none or less."""
    later: Any = Later(then)  # to SimPy's environment as good as an event of its own
    env.schedule(later, delay=seconds if seconds > 0.0 else 0.0)
