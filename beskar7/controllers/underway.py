"""The claims that are under way, and what is put off until they are over.

In a storm of new machines all that follows from the first claims (statuses, finalizers) would hold
up the last ones: it is as many writes again, and can wait, for a boot takes minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from beskar7.api.hostclaims import ClaimPhase, HostClaim
from beskar7.api.kinds import HOST_CLAIM
from beskar7.api.meta import ObjectKey
from beskar7.api.objects import Object
from beskar7.api.resources import MACHINE_FINALIZER, Beskar7Machine, PhysicalHost
from beskar7.kube.controller import Controller, Delay, Request
from beskar7.runtime import Runtime

LONGEST = 2.0
"""Seconds for which anything is put off: machines may come without a pause."""
FOLLOW_UP_PRIORITY = -1
"""What a machine hears of its claim and of its host: behind machines that want a host."""


class ClaimsUnderWay:
    """Machines without a host for which there may be one, and since when they have none."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._since: dict[ObjectKey, tuple[str, float]] = {}
        """The uid of a machine without a host, and since when it is one, as far as we know."""
        self._active: dict[ObjectKey, None] = {}
        self._put_off: deque[tuple[float, Callable[[], None]]] = deque()
        """Until when, and what is to be done instead of waiting so long."""

    def begin(self, machine: ObjectKey, uid: str) -> None:
        """The machine wants a host; again: it goes on wanting one."""
        with self._lock:
            if self._since.get(machine, ("",))[0] != uid:
                self._since[machine] = uid, self._runtime.now()
            self._active[machine] = None

    def waits(self, machine: ObjectKey) -> None:
        """There is no host for it at present, so nothing has to make room for its claim."""
        with self._lock:
            self._active.pop(machine, None)
        self._relieve()

    def seconds(self, machine: ObjectKey) -> float:
        """Since the claim began; since ever for one that is not known."""
        with self._lock:
            return self._runtime.now() - self._since.get(machine, ("", 0.0))[1]

    def end(self, machine: ObjectKey, uid: str = "") -> float | None:
        """No claim of that machine any more: how many seconds it took, if it was this uid's."""
        with self._lock:
            known, started = self._since.pop(machine, ("", 0.0))
            self._active.pop(machine, None)
            took = self._runtime.now() - started if known and known == uid else None
        self._relieve()
        return took

    def delays(self, controller: Controller) -> Delay:
        """For a watch of hosts or HostClaims: the news that a claim began, or came to its host,
        waits until the claims of all other machines are over."""

        def delay(old: Object | None, new: Object | None, request: Request) -> float:
            machine = claimant(old, new)
            if machine is None:
                return 0.0
            with self._lock:
                if len(self._active) <= (machine in self._active):
                    return 0.0
                now = self._runtime.now()
                while self._put_off and self._put_off[0][0] <= now:
                    self._put_off.popleft()
                resume = partial(controller.queue.add, request, priority=FOLLOW_UP_PRIORITY)
                self._put_off.append((now + LONGEST, resume))
            return LONGEST

        return delay

    def _relieve(self) -> None:
        with self._lock:
            if self._active or not self._put_off:
                return
            resumed = list(self._put_off)
            self._put_off.clear()
        for _, resume in resumed:
            resume()


def is_new(machine: Beskar7Machine) -> bool:
    """Nobody has reconciled it yet, and somebody will."""
    return not machine.deleting and not machine.has_finalizer(MACHINE_FINALIZER)


def claimant(old: Object | None, new: Object | None) -> ObjectKey | None:
    """Whose claim it is that began, or came to its host, if that is the news."""
    if old is None and new is not None and new["kind"] == HOST_CLAIM.kind:
        return HostClaim(new).key
    if old is None or new is None:
        return None
    if new["kind"] == HOST_CLAIM.kind:
        return HostClaim(new).key if HostClaim(new).phase is ClaimPhase.ASSIGNED else None
    now = PhysicalHost(new)
    return (
        now.consumer_key if now.consumer_uid not in ("", PhysicalHost(old).consumer_uid) else None
    )
