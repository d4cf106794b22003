"""How one client of the in-process port sees the API's state, where that is not as it is."""

from __future__ import annotations

from typing import Protocol

from beskar7.api.kinds import Kind
from emulator.kube.store.history import Change


class Lens(Protocol):
    """Concerns what caches are made of: lists of all objects, and watches.

    Reads of single objects and lists by a selector ask for the state as it is. Kubernetes answers
    those without a resourceVersion from a quorum, so they are never stale.
    """

    def age(self, kind: Kind) -> float:
        """How many seconds ago the state was that a list shows; 0: it is the newest."""
        ...

    def due(self, type_: str, change: Change) -> float | None:
        """When (``runtime.now()``) a watch may tell of a change at the earliest; None: never.

        ``type_`` is the event's: ADDED, MODIFIED or DELETED.
        """
        ...
