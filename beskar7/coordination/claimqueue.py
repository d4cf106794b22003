"""In which order waiting claims are served.

Base 100, 50 more when any host will do, one more with every minute of age (facts section 6): a
claim with requirements waits for 50 minutes at most behind simple ones that come later, so nobody
starves. At equal priority those with fewer retries go first, then the older.
"""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.api.meta import ObjectKey
from beskar7.coordination.requirements import Requirements

BASE = 100
SIMPLE = 50
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A machine that waits for a host; ``since`` in UTC seconds."""

    machine: ObjectKey
    requirements: Requirements
    since: float
    retries: int = 0

    def priority(self, now: float) -> int:
        age = max(0.0, now - self.since)
        return BASE + int(age / MINUTE) + (SIMPLE if self.requirements.simple else 0)

    def order(self, now: float) -> tuple[int, int, float, str, str]:
        """Sorts the best first; ``now`` in UTC seconds."""
        return (
            -self.priority(now),
            self.retries,
            self.since,
            self.machine.namespace,
            self.machine.name,
        )
