"""A container's limits: what its pod says, pure, and when one is passed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.objects import Object

PERIOD = 0.25
"""Seconds between two looks at a container's memory."""
OOM_KILLED, SIGKILLED = "OOMKilled", 137
"""The reason and the exit code of a container that needed more memory than its limit."""
_SUFFIXES = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    **{name: 1e3**power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": 1024.0**power for power, name in enumerate("KMGTPE", 1)},
}


@dataclass(frozen=True, slots=True)
class Limits:
    """``cores`` of processor time and bytes of ``memory``; None: no limit."""

    cores: float | None = None
    memory: float | None = None

    @classmethod
    def of(cls, container: Object) -> Limits:
        """What cannot be read does not limit; a cluster would have refused it."""
        given = (container.get("resources") or {}).get("limits") or {}
        return cls(quantity(given.get("cpu")), quantity(given.get("memory")))

    @property
    def throttles(self) -> bool:
        """A core or more does not: a manager's interpreter uses one at a time."""
        return self.cores is not None and self.cores < 1.0

    def oom(self, memory: float) -> bool:
        return self.memory is not None and memory > self.memory


def quantity(value: Any) -> float | None:
    """A Kubernetes quantity such as ``200m``, ``1Gi`` or ``1.5e3``; None for what is none."""
    text = str(value if value is not None else "")
    number = text.rstrip("".join({*"".join(_SUFFIXES)} - {*"0123456789"}))
    suffix = text[len(number) :]
    try:
        return float(number) * _SUFFIXES[suffix]
    except (KeyError, ValueError):
        return None
