"""The API server as one manager of the model meets it: how long calls take, when a watch tells."""

from __future__ import annotations

import simpy

from beskar7.runtime import Random
from emulator.kube.inprocess import LatencyModel


class ApiPort:
    """One manager's way to the API server and back.

    ``processor``: seconds of the manager's one processor that a reconcile takes, one after another
    as Python's threads do; the others wait for it.
    """

    def __init__(
        self, env: simpy.Environment, rng: Random, latency: LatencyModel, processor: float
    ) -> None:
        self._env = env
        self._rng = rng
        self._latency = latency
        self._processor = processor
        self._computes_until = 0.0
        self._told_until: dict[str, float] = {}

    def half(self) -> float:
        """Seconds of a call until it takes effect, or from there until its answer is here."""
        return self._latency.half(self._rng)

    def call(self) -> float:
        return self.half() + self.half()

    def compute(self) -> float:
        """Seconds until a reconcile that begins now has had its share of the processor."""
        if not self._processor:
            return 0.0
        now = self._env.now
        self._computes_until = max(now, self._computes_until) + self._processor
        return self._computes_until - now

    def delivery(self) -> float:
        """Seconds that an event is on its way."""
        return self._latency.deliver(self._rng)

    def lag(self, kind: str) -> float:
        """Seconds until a watch of ``kind`` tells of what is written now: in order, so that one
        late event holds up those behind it."""
        now = self._env.now
        told = max(self._told_until.get(kind, 0.0), now + self.delivery())
        self._told_until[kind] = told
        return told - now
