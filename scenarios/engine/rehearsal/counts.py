"""What happened so far, by the API's write log: Events, and leases that changed hands."""

from __future__ import annotations

from beskar7.api.kinds import EVENT, LEASE
from beskar7.manifests.objects import LABELS
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.workloads.objects import POD
from scenarios.engine.expand import SYSTEM_NAMESPACE
from scenarios.engine.history import dig, removes

Moments = list[tuple[float, int]]
"""When (``runtime.now()``), and how often at once."""


class Counts:
    """Call :meth:`read` with the whole log as far as it is known; what is new is taken in."""

    def __init__(self) -> None:
        self.events: dict[str, Moments] = {}
        """By their reasons."""
        self.handovers: dict[str, Moments] = {}
        """From a holder to another, by the lease's name; one that was deleted keeps its last."""
        self.pods: dict[str, None] = {}
        """The managers' pods that there are."""
        self._seen = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._holders: dict[str, str] = {}

    def read(self, writes: list[WriteRecord]) -> None:
        for record in writes[self._seen :]:
            if record.outcome != "ok" or record.object is None:
                continue
            if record.kind == EVENT.kind and record.verb != "delete":
                self._event(record)
            elif record.kind == LEASE.kind and record.namespace == SYSTEM_NAMESPACE:
                self._lease(record)
            elif record.kind == POD.kind and _of_manager(record):
                if removes(record):
                    self.pods.pop(record.name, None)
                else:
                    self.pods[record.name] = None
        self._seen = len(writes)

    def _event(self, record: WriteRecord) -> None:
        """An Event that comes again is the same object with a higher count."""
        count = int(dig(record.object, "count") or 1)
        key = record.namespace, record.name
        more = count - self._counts.get(key, 0)
        self._counts[key] = count
        if more > 0:
            reason = str(dig(record.object, "reason") or "")
            self.events.setdefault(reason, []).append((record.time, more))

    def _lease(self, record: WriteRecord) -> None:
        holder = str(dig(record.object, "spec", "holderIdentity") or "")
        if record.verb == "delete" or not holder:
            return
        if self._holders.get(record.name, holder) != holder:
            self.handovers.setdefault(record.name, []).append((record.time, 1))
        self._holders[record.name] = holder


def _of_manager(record: WriteRecord) -> bool:
    labels = dig(record.object, "metadata", "labels") or {}
    return record.namespace == SYSTEM_NAMESPACE and LABELS.items() <= labels.items()


def since(moments: Moments, time: float) -> int:
    """How often from ``time`` on."""
    return sum(count for at, count in moments if at >= time)
