"""When nothing disturbs the API or the managers, so that what is done late has no excuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from beskar7.api.kinds import CONFIG_MAP
from beskar7.config import CONFIG_MAP_NAME
from beskar7.kube.reflector import RELIST_SECONDS
from scenarios.engine.evidence import Evidence, FaultWindow
from scenarios.engine.history import Object, dig
from scenarios.engine.managerlives import pod_lives

Span = tuple[float, float]
"""From when to when, by ``runtime.now()``."""

MANAGERS = ("kill-manager", "start-manager")
REST = 45.0
"""Seconds after a disturbance until an election (15 s and a term's start) or a reflector's longest
backoff (30 s) is over."""
BACKOFFS = 2.0
"""Whoever tries again at growing intervals waits at most so many times as long as the trouble
lasted, be it ``backoffMultiplier`` 3."""
BLINDING = frozenset({"lose-event", "stale-list"})
"""Faults of the API after which caches may be wrong until the next list."""


def calm_spans(evidence: Evidence, *, bmcs: bool = False) -> list[Span]:
    """The spans in which neither the API nor the managers are, or were just now, disturbed.

    ``bmcs``: faults of BMCs are disturbances too, but not before the first one of the others. None
    in wall time: a busy machine may be what is slow.
    """
    if evidence.clock != "virtual":
        return []
    api = [w for w in evidence.faults if w.fault.get("target") == "api"]
    others = [w for w in evidence.faults if w.fault.get("target") != "api"]
    disturbed = [_of_api(window) for window in api]
    disturbed += [(i.time, i.time + REST) for i in evidence.incidents if i.kind in MANAGERS]
    disturbed += [(at, at + REST) for at in _pods_changed(evidence)]
    disturbed += _configured(evidence)
    first = min((start for start, _ in disturbed), default=float("inf"))
    if bmcs and first < float("inf"):
        disturbed += [(max(s, first), e) for s, e in map(_of_bmcs, others) if e > first]
    return list(_gaps(disturbed))


def longest_calm(spans: Iterable[Span], start: float, end: float) -> float:
    """Seconds of the longest piece from ``start`` to ``end`` that lies in one span."""
    return max((min(end, until) - max(start, since) for since, until in spans), default=0.0)


def _of_api(window: FaultWindow) -> Span:
    end = float("inf") if window.end is None else window.end
    blind = not BLINDING.isdisjoint(window.kinds.values())
    last = end + REST + BACKOFFS * (end - window.start) if end < float("inf") else end
    return window.start, last + (RELIST_SECONDS if blind else 0.0)


def _of_bmcs(window: FaultWindow) -> Span:
    end = float("inf") if window.end is None else window.end
    return window.start, end + REST + BACKOFFS * (end - window.start) if end < float("inf") else end


def _pods_changed(evidence: Evidence) -> Iterator[float]:
    """When managers began or ended as pods, once the load was there."""
    for life in pod_lives(evidence.history.writes):
        yield from (at for at in (life.start, life.end) if at is not None and at >= evidence.origin)


def _configured(evidence: Evidence) -> Iterator[Span]:
    """After each change of the configuration; and as long as it lets nothing begin."""
    began = evidence.origin
    changes = [
        record
        for record in evidence.history.writes
        if record.kind == CONFIG_MAP.kind and record.name == CONFIG_MAP_NAME
    ]
    for number, record in enumerate(changes):
        following = changes[number + 1].time if number + 1 < len(changes) else float("inf")
        if record.time > began:
            yield record.time, record.time + REST
        if _drains(record.object):
            yield max(record.time, began), following + REST


def _drains(config_map: Object | None) -> bool:
    data = dig(config_map, "data") or {}
    return any(key.endswith("maxConcurrentOps") and text == "0" for key, text in data.items())


def _gaps(disturbed: Iterable[Span]) -> Iterator[Span]:
    """What the spans leave of all time."""
    calm = float("-inf")
    for start, end in sorted(disturbed):
        if start > calm:
            yield calm, start
        calm = max(calm, end)
    if calm < float("inf"):
        yield calm, float("inf")
