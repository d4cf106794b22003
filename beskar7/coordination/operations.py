"""What waits in the provisioning queue, and what bounds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from beskar7.api.meta import ObjectKey

AGEING = 60.0
"""Seconds of waiting that outweigh one step of priority: the guide's "+1 per minute of age"."""


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

    @property
    def priority(self) -> int:
        """Reads are short and tell what to do next; cleaning gives a host back to the pool."""
        return {OperationKind.PROVISION: 0, OperationKind.DEPROVISION: 1}.get(self, 2)


@dataclass(slots=True, eq=False)
class Operation:
    """A request to touch one BMC.

    ``bmc`` is what exclusion goes by (two hosts may name one BMC), ``cooldown`` the seconds since
    the BMC's last writing operation that must be over, ``work`` what the pool runs, ``revoke``
    what takes from it the right to write, and ``consumer_uid`` names the host's owner when it was
    asked for; ``subject`` is what Events about the operation are attached to.
    """

    host: ObjectKey
    bmc: str
    kind: OperationKind
    cooldown: float
    work: Callable[[], Any]
    vendor: str = ""
    consumer_uid: str = ""
    subject: Any = None
    priority: int = 0
    not_before: float = 0.0
    attempt: int = 1
    revoke: Callable[[], object] = lambda: None
    submitted: float = 0.0
    sequence: int = 0
    cooled: bool = False
    """Whether it was seen to wait for a cooldown (counted once an operation)."""
    suspect: bool = False
    """Whether its BMC left the operation before unanswered."""
    holds_slot: bool = False
    """Whether it counts against ``maxConcurrentOps`` now."""
    abandoned: bool = False
    """Whether its outcome is told already, although its call has not come back."""
    place: int = field(default=0, repr=False)
    """Grows whenever it moves within the queue."""

    @property
    def rank(self) -> float:
        """The lower the sooner. Waiting makes up for priority, so nothing waits for ever."""
        return max(self.submitted, self.not_before) - AGEING * self.priority

    @property
    def order(self) -> tuple[float, int]:
        return (self.rank, self.sequence)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the end of an operation says about its BMC.

    ``answered``: None when it says nothing. ``hold``: seconds of peace that the BMC asked for.
    """

    answered: bool | None = None
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """``max_concurrent_ops`` 0 drains: what runs finishes, no writing operation starts.

    ``vendor_ops``: writing operations at once on BMCs of one vendor; no entry, no such limit.
    """

    max_queue_size: int = 50
    max_concurrent_ops: int = 5
    vendor_ops: Mapping[str, int] = field(default_factory=dict)


def bmc_id(address: str) -> str:
    """One name per BMC: scheme, host and port of its URL in one spelling."""
    url = urlsplit(address.lower())
    port = url.port or (443 if url.scheme == "https" else 80)
    return f"{url.hostname}:{port}"
