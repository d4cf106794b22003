"""What a Lease says, and the times that a leader and its rivals keep."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from beskar7.api.kinds import LEASE
from beskar7.api.meta import rfc3339_micro
from beskar7.api.objects import copy_json
from beskar7.kube.port import Object

RETRY_JITTER = 1.2
"""client-go's JitterFactor: the room that a retry needs within the renew deadline."""

MAX_DURATION = 3600.0
"""Seconds. A record comes from outside; none may lock the lease for ever."""


@dataclass(frozen=True, slots=True)
class LeaderTimes:
    """Seconds. Raises ValueError when they do not fit together."""

    lease_duration: float
    renew_deadline: float
    retry_period: float

    def __post_init__(self) -> None:
        if not self.retry_period > 0:
            raise ValueError(f"leader election: retry period {self.retry_period:g}s must be over 0")
        if not self.renew_deadline < self.lease_duration <= MAX_DURATION:
            raise ValueError(
                f"leader election: renew deadline {self.renew_deadline:g}s must be less than "
                f"lease duration {self.lease_duration:g}s, and that at most {MAX_DURATION:g}s"
            )
        if not self.retry_period * RETRY_JITTER < self.renew_deadline:
            raise ValueError(
                f"leader election: retry period {self.retry_period:g}s times {RETRY_JITTER} must "
                f"be less than renew deadline {self.renew_deadline:g}s"
            )

    @property
    def whole_seconds(self) -> int:
        """The lease duration as the API takes it: an integer, rounded up to stay safe."""
        return math.ceil(self.lease_duration)


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The ``spec`` of a Lease; two equal records mean that nobody has renewed."""

    holder: str
    duration: float
    acquire_time: str
    renew_time: str
    transitions: int

    @classmethod
    def of(cls, lease: Object) -> LeaseRecord:
        spec = lease.get("spec") or {}
        return cls(
            holder=str(spec.get("holderIdentity") or ""),
            duration=min(max(float(spec.get("leaseDurationSeconds") or 0), 0.0), MAX_DURATION),
            acquire_time=str(spec.get("acquireTime") or ""),
            renew_time=str(spec.get("renewTime") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
        )

    @classmethod
    def first(cls, identity: str, times: LeaderTimes, wall: float) -> LeaseRecord:
        now = rfc3339_micro(wall)
        return cls(identity, times.whole_seconds, now, now, 0)

    def taken_by(self, identity: str, times: LeaderTimes, wall: float) -> LeaseRecord:
        now = rfc3339_micro(wall)
        return LeaseRecord(identity, times.whole_seconds, now, now, self.transitions + 1)

    def renewed(self, times: LeaderTimes, wall: float) -> LeaseRecord:
        """Always another record: a clock that stands still must not look like a dead holder."""
        now = rfc3339_micro(wall)
        if now == self.renew_time:
            now = rfc3339_micro(wall + 1e-6)
        return replace(self, duration=times.whole_seconds, renew_time=now)

    def released(self, wall: float) -> LeaseRecord:
        """Without a holder; a duration of 1 is the least that the API accepts."""
        now = rfc3339_micro(wall)
        return replace(self, holder="", duration=1, acquire_time=now, renew_time=now)

    def into(self, lease: Object) -> Object:
        """A copy of ``lease`` that says this; fields that are not ours stay."""
        written = copy_json(lease)
        written["spec"] = {
            **(written.get("spec") or {}),
            "holderIdentity": self.holder,
            "leaseDurationSeconds": int(self.duration),
            "acquireTime": self.acquire_time,
            "renewTime": self.renew_time,
            "leaseTransitions": self.transitions,
        }
        return written


def lease_object(namespace: str, name: str) -> Object:
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.kind,
        "metadata": {"namespace": namespace, "name": name},
    }
