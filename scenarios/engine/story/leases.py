"""Who held which lease from when to when, by the API's writes."""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.api.kinds import LEASE
from beskar7.claim_term import CLAIM_LEASE
from beskar7.term import MANAGER_LEASE
from scenarios.engine.history import History, dig, removes

NAMES = {MANAGER_LEASE: "manager", CLAIM_LEASE: "claims"}
"""The leases that the controller contends for, and what who holds them leads."""


@dataclass(frozen=True, slots=True)
class Hold:
    """``role`` is a value of :data:`NAMES`. It ends when given up, taken over, or run out."""

    role: str
    holder: str
    start: float
    end: float


def holds(history: History, end: float) -> list[Hold]:
    """By role, then by start; none lasts beyond ``end``."""
    found: list[Hold] = []
    for name, role in NAMES.items():
        current: tuple[str, float, float] | None = None  # holder, since when, good until when
        for record in history.writes:
            if record.kind != LEASE.kind or record.name != name or record.outcome != "ok":
                continue
            holder = (
                "" if removes(record) else str(dig(record.object, "spec", "holderIdentity") or "")
            )
            if current and (current[0] != holder or record.time > current[2]):
                found.append(Hold(role, current[0], current[1], min(current[2], record.time)))
                current = None
            if holder:
                duration = float(dig(record.object, "spec", "leaseDurationSeconds") or 0.0)
                since = current[1] if current else record.time
                current = (holder, since, record.time + duration)
        if current:
            found.append(Hold(role, current[0], current[1], min(current[2], end)))
    return found
