"""Looks at hosts that boot or go off, each a worker's time; most of them need not be played."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, sqrt

import simpy

from scenarios.models.events import after
from scenarios.models.machines import ModelHost
from scenarios.models.station import Station

SPREAD = 2.5
"""Looks that go on at a time are as good as never this many standard deviations above their mean
(they are as good as a Poisson process): with so many workers idle none of them waits."""


class Looks:
    """``told``: seconds from what a look saw until it is acted upon. ``poll``: seconds between
    looks, as configured. ``settled`` hears of each host of which a look saw that it is where it was
    going to."""

    def __init__(
        self,
        env: simpy.Environment,
        station: Station,
        told: float,
        poll: float,
        settled: Callable[[ModelHost], None],
    ) -> None:
        self.poll = poll
        self.unseen = 0.0
        """Seconds of the looks that were left out."""
        self._env = env
        self._station = station
        self._told = told
        self._settled = settled
        self._looking = 0.0
        """Workers that the looks at hosts keep busy on average."""
        self._left_out: dict[_Look, None] = {}
        """Those that are not played, as nobody waits for them."""
        self._led = True
        self._term = 0
        """A look that an earlier one was to have is none."""
        station.crowded = self._take_up

    def stop(self) -> None:
        """Nobody looks any more."""
        self._led = False
        self._term += 1
        self._looking = 0.0
        self._left_out.clear()
        self._need_room()

    def go_on(self) -> None:
        """Somebody else takes over, and begins from the start."""
        self._led = True

    def watch(self, host: ModelHost, seconds: float) -> None:
        """Look at the host in so many seconds, and again until what was asked for has happened.

        Looks that would see nothing are left out while so many workers are idle that none waits;
        as soon as they are not, every look is played.
        """
        self._await(_Look(self._env, host), seconds)

    def _await(self, look: _Look, seconds: float) -> None:
        host, poll = look.host, self.poll
        load = host.mean_look / poll
        if load != look.load:
            self._looking += load - look.load
            look.load = load
            self._need_room()
        due = self._env.now + self._told + seconds
        left = host.settles_at - due
        if left > 0.0 and self._station.idle >= self._station.kept_free:
            look.first, look.cycle = due, self._told + poll + host.mean_look
            self._left_out[look] = None
            due += ceil(left / look.cycle) * look.cycle
        self._look_at(look, due)

    def _look_at(self, look: _Look, due: float) -> None:
        look.due = due
        if self._led:
            after(self._env, due - self._env.now, partial(self._look, self._term, look, due))

    def _take_up(self) -> None:
        """The workers get few: play each look that was left out from the next one on."""
        now = self._env.now
        for look in list(self._left_out):
            after_first = max(0, ceil((now - look.first) / look.cycle))
            due = look.first + after_first * look.cycle
            if due < look.due:
                self._count_left_out(look, due)
                self._look_at(look, due)

    def _count_left_out(self, look: _Look, due: float) -> None:
        """It goes on with a look at ``due`` that is played."""
        del self._left_out[look]
        self.unseen += round((due - look.first) / look.cycle) * look.host.mean_look

    def _need_room(self) -> None:
        self._station.kept_free = self._looking + SPREAD * sqrt(self._looking)

    def _look(self, term: int, look: _Look, due: float) -> None:
        if term != self._term or look.due != due:
            return  # Nobody's any more, or taken up earlier.
        if look in self._left_out:
            self._count_left_out(look, due)
        if look.stale:
            self._over(look)
        else:
            self._station.look((look.lasts, partial(self._seen, look)))

    def _over(self, look: _Look) -> None:
        self._looking = max(0.0, self._looking - look.load)
        self._need_room()

    def _seen(self, look: _Look) -> None:
        if not (look.stale or look.settled):
            self._await(look, self.poll)
            return
        self._over(look)
        if not look.stale:
            self._settled(look.host)


class _Look:
    """One look at a host that boots or goes off; ``stale`` once something else was begun.

    ``load``: workers that looks like this keep busy. ``first`` and ``cycle``: when the first of
    those was due that were left out before it, and seconds between them.
    """

    __slots__ = ("_env", "_turn", "cycle", "due", "first", "host", "load", "settled")

    def __init__(self, env: simpy.Environment, host: ModelHost) -> None:
        self.host = host
        self.load = 0.0
        self.settled = False
        self.due = self.first = 0.0
        self.cycle = 1.0
        self._env = env
        self._turn = host.turn

    @property
    def stale(self) -> bool:
        return self.host.turn != self._turn

    def lasts(self) -> float:
        """Seconds; what it will have seen is decided at its start."""
        self.settled = self.host.settles_at <= self._env.now
        return self.host.last_look() if self.settled else self.host.look()
