"""The managers' lives, where they are pods: from the statuses that their kubelet wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from beskar7.manifests.objects import LABELS
from beskar7.manifests.rights import NAMESPACE
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.workloads.objects import POD, meta, status
from emulator.kube.workloads.podstatus import identity
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import dig

KILLED = 137
"""The exit code of a life of which nobody wrote how it ended."""


@dataclass(frozen=True, slots=True)
class PodLife:
    """One process of a pod; times are of the status writes, ``runtime.now()``.

    ``end`` None: it goes on. ``code`` is its exit code then: 0 for a manager that was asked to
    end and did so in its grace.
    """

    identity: str
    start: float
    end: float | None = None
    code: int = 0
    reason: str = ""
    """Of its end, in the kubelet's words: Completed, Error, OOMKilled."""

    @property
    def failed(self) -> bool:
        return self.end is not None and self.code != 0


def pod_lives(writes: Iterable[WriteRecord]) -> list[PodLife]:
    """Those of all managers' pods, by start. ``writes`` in the log's order."""
    found: dict[tuple[str, int], PodLife] = {}
    latest: dict[str, int] = {}
    for record in writes:
        pod = record.object
        if record.kind != POD.kind or record.outcome != "ok" or pod is None:
            continue
        if record.namespace != NAMESPACE or not LABELS.items() <= _labels(pod).items():
            continue
        for number, state in _states(pod):
            key = record.uid, number
            if "running" in state:
                found.setdefault(key, PodLife(identity(pod, number), record.time))
                latest[record.uid] = number
            elif key in found and found[key].end is None and "terminated" in state:
                found[key] = _ended(found[key], record.time, state["terminated"])
        key = record.uid, latest.get(record.uid, 0)
        if _removed(record) and key in found and found[key].end is None:
            found[key] = _ended(found[key], record.time, {"exitCode": KILLED})
    return sorted(found.values(), key=lambda life: (life.start, life.identity))


def killed_at(evidence: Evidence) -> dict[str, float]:
    """When each manager that did not end in order ended, by identity."""
    lives = pod_lives(evidence.history.writes)
    ends = {life.identity: life.end for life in lives if life.failed and life.end is not None}
    killed = (i for i in evidence.incidents if i.kind == "kill-manager")
    return ends | {incident.subject: incident.time for incident in killed}


def _removed(record: WriteRecord) -> bool:
    """Whether a delete took the pod away; one that gives it a grace marks it first."""
    marks = ("deletionTimestamp", "deletionGracePeriodSeconds")
    return record.verb == "delete" and all(
        dig(record.object, "metadata", mark) == dig(record.previous, "metadata", mark)
        for mark in marks
    )


def _labels(pod: dict[str, object]) -> dict[str, str]:
    return meta(pod).get("labels") or {}


def _states(pod: dict[str, object]) -> Iterator[tuple[int, dict[str, dict[str, object]]]]:
    """Restart count and state of the lives that a status tells of, the older first."""
    for container in status(pod).get("containerStatuses") or ():
        count = int(container.get("restartCount") or 0)
        waiting = "waiting" in (container.get("state") or {})
        # While the next one waits, the count is still that of the last life.
        before = count if waiting else count - 1
        if before >= 0:
            yield before, container.get("lastState") or {}
        yield count, container.get("state") or {}


def _ended(life: PodLife, time: float, said: dict[str, object]) -> PodLife:
    code = int(str(said.get("exitCode", KILLED)))
    return PodLife(life.identity, life.start, time, code, str(said.get("reason") or ""))
