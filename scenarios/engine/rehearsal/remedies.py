"""What mends: the actions of scenarios, kubectl's commands, and the operations' procedures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Procedure = Literal["split-brain", "queue", "hosts"]


@dataclass(frozen=True, slots=True)
class Recover:
    """``beskar7 recover``, by the same function. ``names`` are hosts, none for all in Error;
    ``restart`` and ``ops`` are of the queue's procedure."""

    procedure: Procedure
    names: tuple[str, ...] = ()
    restart: bool = False
    ops: int | None = None

    def __str__(self) -> str:
        words = ["beskar7 recover", self.procedure, *self.names]
        words += ["--restart"] * self.restart
        words += [] if self.ops is None else [f"--ops {self.ops}"]
        return " ".join(words)
