"""How one request will go: what a transport has to wait for, carry out, and send."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from emulator.bmc.redfish import Response

PIECES = 20
"""Pieces a second in which a slow body comes, where that is at least a byte each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds.

    ``proceed``: wait ``before``, perform, wait ``after``, answer. ``error``: wait ``before``,
    answer ``refusal``. ``hang``: never answer; close once the fault is over. ``reset``: wait
    ``before``, then reset the connection. ``perform`` says whether a request that gets no proper
    answer is carried out all the same.
    """

    start: float
    before: float
    after: float
    outcome: Literal["proceed", "error", "hang", "reset"]
    perform: bool
    fault: str = ""
    ends: float | None = None
    refusal: Response | None = None
    effect: Literal["once", "never", "late", "twice"] = "once"
    """What an action that is answered as usual does."""
    delay: float = 0.0
    """Until the late or the second effect."""
    change: Callable[[Response], Response] | None = None
    """Made of the answer once the request is performed."""
    rate: float = math.inf
    """Bytes a second of the body."""
    share: float = 1.0
    """Of the body that is sent at all, where ``then`` is not its end."""
    then: Literal["end", "close", "hang"] = "end"

    def answer(self, acted: Response | None) -> Response | None:
        """What the client gets, as far as it gets it; None: nothing."""
        if self.outcome == "error":
            return self.refusal
        if self.outcome != "proceed" or acted is None:
            return None
        return acted if self.change is None else self.change(acted)

    @property
    def plain(self) -> bool:
        """Whether there is nothing to it but to wait, to carry it out, and to send the answer."""
        ordinary = self.outcome == "proceed" and self.perform and not self.fault
        return ordinary and self.change is None and not self.in_pieces

    @property
    def in_pieces(self) -> bool:
        """Whether a body is sent otherwise than at once."""
        return self.then != "end" or self.rate < math.inf

    @property
    def piece(self) -> int:
        """Bytes sent at a time."""
        return 1 << 30 if self.rate == math.inf else max(1, int(self.rate / PIECES))

    def sent(self, body: bytes) -> int:
        """How many bytes of the body are sent."""
        return len(body) if self.then == "end" else int(len(body) * self.share)


ORDINARY = Plan(0.0, 0.0, 0.0, "proceed", True)
