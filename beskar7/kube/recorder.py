"""Who takes Events: the recorder, or whatever a test puts in its place."""

from __future__ import annotations

from typing import Literal, Protocol

from beskar7.kube.port import Object

EventType = Literal["Normal", "Warning"]


class Recorder(Protocol):
    """Never blocks and never fails: an Event is news, not work."""

    def event(self, obj: Object, type: EventType, reason: str, message: str) -> None: ...
