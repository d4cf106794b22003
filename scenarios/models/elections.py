"""Who leads in the model, and for how long nobody does when a leader is killed.

Nothing is played of an election while its holder lives: renewals and looks at the lease would be
most of a day's events. At a kill it is drawn how old the last renewal is, and when each of the
others saw it; the rest follows from the lease's times, as in :mod:`beskar7.kube.leases`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import simpy

from beskar7.config import LeaseSettings
from beskar7.runtime import VirtualRuntime
from emulator.kube.inprocess import LatencyModel
from scenarios.models.events import after

JITTER = 0.2
"""A pause between looks at a lease is this much shorter at most than the retry period."""


class Election:
    """One lease. ``begins(manager)`` and ``ends()`` surround each time that somebody leads."""

    def __init__(
        self,
        env: simpy.Environment,
        runtime: VirtualRuntime,
        name: str,
        lease: LeaseSettings,
        latency: LatencyModel,
        begins: Callable[[str], None],
        ends: Callable[[], None],
    ) -> None:
        self.holder = ""
        self.gaps: list[float] = []
        """Seconds from each kill of a leader until another one led."""
        self._env = env
        self._lease = lease
        self._latency = latency
        self._rng = runtime.rng(f"model/election/{name}")
        self._begins = begins
        self._ends = ends
        self._members: dict[str, float] = {}
        """Managers that contend, and when each last saw the lease renewed, while nobody leads."""
        self._killed_at = 0.0

    def opens(self, members: list[str]) -> None:
        """All begin at once; whoever is first leads."""
        self._members = dict.fromkeys(members, self._env.now)
        self._take(self._rng.choice(members))

    def joins(self, member: str) -> None:
        """It begins by a look at the lease, and gives its holder the time from there on."""
        self._members[member] = self._env.now + self._call()
        if not self.holder:
            self._awaits(member)

    def dies(self, member: str) -> None:
        self._members.pop(member)
        if member != self.holder:
            return
        self.holder = ""
        now = self._killed_at = self._env.now
        self._ends()
        renewed = now - self._pause() * self._rng.random()
        for other, joined in self._members.items():
            seen = renewed + self._pause() * self._rng.random() + self._call()
            # Who came just now saw the lease for the first time then.
            self._members[other] = max(joined, seen)
            self._awaits(other)

    def vacant(self, member: str) -> bool:
        """Whether this manager sees that nobody leads: not renewed for the renew deadline, and
        a retry period more."""
        if self.holder:
            return False
        lease = self._lease
        seen = self._members[member]
        return self._env.now > seen + lease.renew_deadline + lease.retry_period

    def _awaits(self, member: str) -> None:
        """When the lease that it saw is over, it reads it once more and writes its name."""
        seen = self._members[member]
        due = seen + self._lease.lease_duration
        seconds = due - self._env.now + self._call() + self._latency.half(self._rng)
        after(self._env, seconds, partial(self._tries, member, seen))

    def _tries(self, member: str, seen: float) -> None:
        # It may have seen another one lead, and die, since it began to wait.
        if not self.holder and self._members.get(member) == seen:
            self.gaps.append(self._env.now - self._killed_at)
            self._take(member)

    def _take(self, member: str) -> None:
        self.holder = member
        self._begins(member)

    def _pause(self) -> float:
        return self._lease.retry_period * (1 - JITTER * self._rng.random())

    def _call(self) -> float:
        return self._latency.half(self._rng) + self._latency.half(self._rng)
