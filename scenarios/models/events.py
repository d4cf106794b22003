"""A call at a later moment of the model: the lightest thing that SimPy's loop can carry."""

from __future__ import annotations

from collections.abc import Callable

import simpy


class Later(simpy.Event):
    """``then`` is called once, when it is due. Nothing can wait for it, as nothing has to."""

    def __init__(self, env: simpy.Environment, then: Callable[[], None]) -> None:
        # A Timeout's list of callbacks and its values cost as much again as the call.
        self.env = env
        self._ok = True
        self._then = then
        self.callbacks = [self._due]

    def _due(self, event: simpy.Event) -> None:
        self._then()


def after(env: simpy.Environment, seconds: float, then: Callable[[], None]) -> None:
    """Call ``then`` in so many seconds, at once (though not within this call) for none or less."""
    env.schedule(Later(env, then), delay=max(0.0, seconds))
