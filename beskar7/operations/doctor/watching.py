"""``beskar7 doctor --watch``: one look after the other, and what has changed in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beskar7.api.errors import ApiError
from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor.diagnosis import Diagnosis
from beskar7.operations.doctor.gather import gather
from beskar7.operations.doctor.judging import judge
from beskar7.operations.doctor.snapshot import Counters


@dataclass(frozen=True, slots=True)
class Look:
    """``diagnosis`` None: the API server did not answer, and ``trouble`` says how.

    ``changed`` are sections (by name) that got better or worse and findings (by id) that are new;
    ``gone`` are findings that were there the last time.
    """

    diagnosis: Diagnosis | None
    trouble: str = ""
    changed: frozenset[str] = frozenset()
    gone: tuple[str, ...] = ()


def watch(cluster: Cluster, pause: float, recent: float) -> Iterator[Look]:
    """A look every ``pause`` seconds, for ever; rates are over the time since the one before.

    An API server that does not answer is told, and asked again.
    """
    counters: Counters | None = None
    before: Diagnosis | None = None
    while True:
        try:
            snapshot, newest = gather(cluster, before=counters, recent=recent)
        except ApiError as error:
            yield Look(None, error.message)
        else:
            found = judge(snapshot)
            counters = newest
            yield _compared(before, found)
            before = found
        cluster.runtime.sleep(pause)


def _compared(before: Diagnosis | None, found: Diagnosis) -> Look:
    if before is None:
        return Look(found)
    old = {section.name: section.severity for section in before.sections}
    known = {each.id for each in before.findings}
    now = {each.id for each in found.findings}
    moved = {each.name for each in found.sections if old.get(each.name) != each.severity}
    return Look(found, "", frozenset(moved | (now - known)), tuple(sorted(known - now)))
