"""The provisioning queue: which operation may touch which BMC, and when.

A data structure without threads or clock; :mod:`beskar7.coordination.pool` gives it both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from beskar7.api.meta import ObjectKey

LONGEST_REST = 60.0
"""Seconds: the upper end of ``provisioning.bmcCooldownPeriod``; what is older decides nothing."""
REMEMBERED = 1024
"""BMCs whose last use is remembered before the old ones are dropped."""


class QueueFullError(Exception):
    """``maxQueueSize`` writing operations wait already; come back later."""


class OperationKind(StrEnum):
    """What an operation does. Reading ones need no cooldown and no write slot."""

    INSPECT = "inspect"
    VERIFY = "verify"
    PROVISION = "provision"
    DEPROVISION = "deprovision"

    @property
    def writes(self) -> bool:
        return self in (OperationKind.PROVISION, OperationKind.DEPROVISION)


@dataclass(slots=True)
class Operation:
    """A request to touch one BMC.

    ``bmc`` is what exclusion goes by (two hosts may name one BMC), ``cooldown`` the seconds since
    the BMC's last writing operation that must be over, ``work`` what the pool runs, and
    ``consumer_uid`` names the host's owner when it was asked for; ``subject`` is what Events about
    the operation are attached to.
    """

    host: ObjectKey
    bmc: str
    kind: OperationKind
    cooldown: float
    work: Callable[[], Any]
    consumer_uid: str = ""
    subject: Any = None
    priority: int = 0
    not_before: float = 0.0
    attempt: int = 1
    submitted: float = 0.0
    sequence: int = 0
    cooled: bool = field(default=False)
    """Whether it was seen to wait for a cooldown (counted once an operation)."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """``max_concurrent_ops`` 0 drains: what runs finishes, no writing operation starts."""

    max_queue_size: int = 50
    max_concurrent_ops: int = 5


def bmc_id(address: str) -> str:
    """One name per BMC: scheme, host and port of its URL in one spelling."""
    url = urlsplit(address.lower())
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{url.hostname}:{port}"


class ProvisioningQueue:
    """Bounded, by priority, one operation a BMC, cooldown from completion.

    ``on_cooldown`` is called once for each operation that had to wait for its BMC to rest.
    Times are seconds of the runtime's ``now``.
    """

    def __init__(
        self,
        limits: QueueLimits | None = None,
        on_cooldown: Callable[[Operation], None] = lambda operation: None,
    ) -> None:
        self.limits = limits or QueueLimits()
        self._on_cooldown = on_cooldown
        self._waiting: dict[ObjectKey, Operation] = {}
        self._running: dict[int, Operation] = {}
        self._rested_since: dict[str, float] = {}
        self._all_rested_since = float("-inf")
        self._sequence = 0

    @property
    def length(self) -> int:
        """Writing operations that wait: what ``maxQueueSize`` bounds."""
        return sum(operation.kind.writes for operation in self._waiting.values())

    @property
    def processing(self) -> int:
        """Writing operations that run: what ``maxConcurrentOps`` bounds."""
        return sum(operation.kind.writes for operation in self._running.values())

    def holds(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        """Whether an operation (of this kind, None: of any) of this host waits or runs."""
        waiting = self._waiting.get(host)
        if waiting is not None and kind in (None, waiting.kind):
            return True
        return any(
            running.host == host and kind in (None, running.kind)
            for running in self._running.values()
        )

    def submit(self, operation: Operation, now: float) -> bool:
        """Take an operation in; False when its host has one waiting, or one of its kind running.

        Raises:
            QueueFullError: nothing was taken in, nothing is lost: submit it again later.
        """
        if operation.host in self._waiting or self.holds(operation.host, operation.kind):
            return False
        if operation.kind.writes and self.length >= self.limits.max_queue_size:
            raise QueueFullError(f"{self.length} operations wait")
        self._sequence += 1
        operation.sequence = self._sequence
        operation.submitted = now
        self._waiting[operation.host] = operation
        return True

    def withdraw(self, host: ObjectKey) -> bool:
        """Take a waiting operation back; False when none waits (it may run)."""
        return self._waiting.pop(host, None) is not None

    def take(self, now: float) -> Operation | None:
        """The best operation that may start at this moment; it then runs until ``complete``."""
        writes_allowed = self.processing < self.limits.max_concurrent_ops
        busy = self._busy()
        best: Operation | None = None
        for operation in self._waiting.values():
            if best is not None and _order(best) <= _order(operation):
                continue
            if operation.bmc in busy or operation.not_before > now:
                continue
            if operation.kind.writes:
                if self._rest_until(operation) > now:
                    self._note_cooldown(operation)
                    continue
                if not writes_allowed:
                    continue
            best = operation
        if best is not None:
            del self._waiting[best.host]
            self._running[best.sequence] = best
        return best

    def complete(self, operation: Operation, now: float) -> None:
        """The operation is over, however it ended; its BMC's rest begins if it may have written."""
        del self._running[operation.sequence]
        if operation.kind.writes:
            self._rested_since[operation.bmc] = now
            if len(self._rested_since) > REMEMBERED:
                self._forget_rested(now)

    def next_due(self, now: float) -> float | None:
        """When time alone makes a waiting operation ready; None when no time does."""
        busy = self._busy()
        times = [
            due
            for operation in self._waiting.values()
            if operation.bmc not in busy
            and (due := max(operation.not_before, self._rest_until(operation))) > now
        ]
        return min(times, default=None)

    def assume_all_touched(self, now: float) -> None:
        """Somebody else may have used any BMC until now: a leader that takes over starts so."""
        self._all_rested_since = now

    def _busy(self) -> set[str]:
        """The BMCs that an operation uses now: no other may begin on them."""
        return {operation.bmc for operation in self._running.values()}

    def _forget_rested(self, now: float) -> None:
        self._rested_since = {
            bmc: since for bmc, since in self._rested_since.items() if since > now - LONGEST_REST
        }

    def _rest_until(self, operation: Operation) -> float:
        if not operation.kind.writes:
            return float("-inf")
        since = self._rested_since.get(operation.bmc, float("-inf"))
        return max(since, self._all_rested_since) + operation.cooldown

    def _note_cooldown(self, operation: Operation) -> None:
        if not operation.cooled:
            operation.cooled = True
            self._on_cooldown(operation)


def _order(operation: Operation) -> tuple[int, int]:
    return (-operation.priority, operation.sequence)
