"""When each machine got how far, and from when on it could have had a host."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import fits, requirements
from scenarios.engine.history import (
    History,
    Object,
    Ownership,
    Track,
    consumer_uid,
    phase,
    state,
)


@dataclass(frozen=True, slots=True)
class MachineTimes:
    """When a machine got how far (``runtime.now()``), None for not at all.

    ``eligible`` is the moment from which its claim is timed: its creation, or, when it met an
    empty pool, the moment from which on the pool always held a free host until the claim.
    """

    name: str
    uid: str
    created: float
    claimed: float | None = None
    host: str = ""
    eligible: float | None = None
    waited: bool = False
    provisioned: float | None = None
    deletion: float | None = None
    released: float | None = None
    gone: float | None = None


class Pool:
    """The free hosts over time: Available, nobody's, and such as would do for a machine."""

    def __init__(self, history: History, does: Callable[[Object | None], bool]) -> None:
        changes: list[tuple[int, float, int]] = []
        for track in history.hosts.values():
            was = False
            for version in track.versions:
                free = (
                    state(version.object) == "Available"
                    and not consumer_uid(version.object)
                    and does(version.object)
                )
                if free != was:
                    changes.append((version.seq, version.time, 1 if free else -1))
                was = free
        self._seqs: list[int] = []
        self._times: list[float] = []
        self._sizes: list[int] = []
        size = 0
        for seq, time, step in sorted(changes):
            size += step
            self._seqs.append(seq)
            self._times.append(time)
            self._sizes.append(size)

    def eligible(self, created_seq: int, created: float, claim_seq: int) -> tuple[float, bool]:
        """From when on a host was always free until write ``claim_seq``; whether none was before.

        That write itself does not count: who takes the last free host did not wait for one.
        """
        first = bisect_right(self._seqs, created_seq)
        last = bisect_left(self._seqs, claim_seq)
        size = self._sizes[first - 1] if first else 0
        start, waited = created, size == 0
        for index in range(first, last):
            if size == 0 and self._sizes[index] > 0:
                start = self._times[index]
            size = self._sizes[index]
            waited = waited or size == 0
        return start, waited


def machine_times(evidence: Evidence) -> list[MachineTimes]:
    """One row a machine, by creation."""
    history = evidence.history
    pools: dict[str, Pool] = {}

    def pool(track: Track) -> Pool:
        """Machines that require the same share one."""
        wanted = requirements(track.versions[0].object)
        key = repr(wanted)
        if key not in pools:
            pools[key] = Pool(history, fits(wanted, evidence.hardware))
        return pools[key]

    first: dict[str, Ownership] = {}
    for ownership in history.ownerships():
        first.setdefault(ownership.owner, ownership)
    hosts = {(track.name): track for track in history.hosts.values()}
    rows = [
        _machine_times(track, first.get(track.uid), pool(track), hosts)
        for track in history.machines.values()
    ]
    return sorted(rows, key=lambda row: (row.created, row.name))


def _machine_times(
    track: Track, held: Ownership | None, pool: Pool, hosts: dict[str, Track]
) -> MachineTimes:
    provisioned = next((v.time for v in track.versions if phase(v.object) == "Provisioned"), None)
    deletion = track.deletion
    gone = track.versions[-1].time if track.gone else None
    asked = deletion.time if deletion else None
    if held is None:
        return MachineTimes(
            track.name,
            track.uid,
            track.created,
            None,
            "",
            None,
            False,
            provisioned,
            asked,
            gone=gone,
        )
    eligible, waited = pool.eligible(track.versions[0].seq, track.created, held.start_seq)
    released = None
    if deletion is not None:
        released = _available_again(hosts.get(held.host), held, deletion.seq)
    return MachineTimes(
        name=track.name,
        uid=track.uid,
        created=track.created,
        claimed=held.start,
        host=held.host,
        eligible=eligible,
        waited=waited,
        provisioned=provisioned,
        deletion=asked,
        released=released,
        gone=gone,
    )


def _available_again(host: Track | None, held: Ownership, after_seq: int) -> float | None:
    for version in host.versions if host else []:
        if version.seq <= max(after_seq, held.start_seq):
            continue
        owner = consumer_uid(version.object)
        if state(version.object) == "Available" and owner != held.owner:
            return version.time
    return None
