"""Whether a condition of a rehearsal holds now, and what there is to be seen of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from beskar7.api.errors import ApiError
from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor.diagnosis import Diagnosis
from beskar7.operations.doctor.gather import counters as doctors_counters
from beskar7.operations.doctor.judging import diagnose
from beskar7.operations.doctor.snapshot import Counters
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import phase
from scenarios.engine.rehearsal.alarms import STEP, AlarmBook, promtool, watched
from scenarios.engine.rehearsal.condition_fields import HEALTHY, NO_STATE
from scenarios.engine.rehearsal.conditions import (
    AlarmFires,
    Condition,
    DoctorFinds,
    EventCame,
    Happening,
    HostsAre,
    LeaseChanged,
    LogSaid,
    MachinesAre,
    MetricIs,
)
from scenarios.engine.rehearsal.counts import Counts, Moments, since
from scenarios.engine.rehearsal.samples import Key, SampleBook, quantile, total
from scenarios.engine.watching import Watcher
from scenarios.engine.world import World, WorldError

EVALUATE = 2.0
"""Seconds between two evaluations of the alarms; each tells also of the seconds before."""
CONSULT = 2.0
"""Seconds between two looks of the doctor, which reads much."""
SHOWN = 5
"""Things named where a condition says what is there instead."""
LOOKED_AT = (MetricIs, LogSaid, AlarmFires, DoctorFinds)
"""What is not in the API's write log, so that nothing tells of it: it is looked at."""


@dataclass(frozen=True, slots=True)
class Base:
    """From where on things count: a moment (``runtime.now()``), and the counters then."""

    time: float
    counters: Mapping[Key, float] = field(default_factory=dict)
    doctor: Counters | None = None
    """The same for doctor, whose rates are over the time since then; None: nobody asks it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """``holds`` None: it cannot be judged here, for the reason in ``words``."""

    holds: bool | None
    words: str


class Sight:
    """Reads the metrics once a second, where a condition needs them, from its making on."""

    def __init__(
        self,
        world: World,
        evidence: Evidence,
        watcher: Watcher,
        conditions: Iterable[Condition],
    ) -> None:
        self._world = world
        self._evidence = evidence
        self._watcher = watcher
        whats = [condition.what for condition in conditions]
        names = {what.series.name for what in whats if isinstance(what, MetricIs)}
        names |= {w.over.name for w in whats if isinstance(w, MetricIs) and w.over is not None}
        asked = frozenset(what.alarm for what in whats if isinstance(what, AlarmFires))
        self._consulting = any(isinstance(what, DoctorFinds) for what in whats)
        self._alarms = asked if promtool() is not None else frozenset()
        names |= watched(self._alarms)
        self._book = SampleBook(names) if names else None
        now = world.runtime.now()
        self._alarm_book = AlarmBook(now, self._alarms)
        self._firing: set[str] = set()
        self._evaluated = now
        self._diagnosis: Diagnosis | None = None
        self._consulted = now
        self._sampled = now - STEP
        self.counts = Counts()
        self.look()

    def look(self) -> None:
        """Take in what is new; the metrics when they are due."""
        self.counts.read(self._evidence.history.writes)
        now = self._world.runtime.now()
        if self._book is None or now < self._sampled + STEP:
            return
        self._sampled = now
        fresh = self._book.take(self._world.manager_metrics())
        if self._alarms:
            living = [identity for identity, alive in self._world.managers() if alive]
            self._alarm_book.take(now, fresh, self.counts.pods or living)

    def next_look(self) -> float | None:
        """When the metrics are due again (``runtime.now()``); None where nobody needs them."""
        return None if self._book is None else self._sampled + STEP

    def base(self) -> Base:
        """This moment as the one from which things count."""
        counters = {} if self._book is None else self._book.totals
        told = None
        if self._consulting:
            with contextlib.suppress(ApiError):
                told = doctors_counters(self._cluster)
        return Base(self._world.runtime.now(), counters, told)

    def judge(self, condition: Condition, base: Base) -> Seen:
        """Of happenings that are to be absent: whether none came in the time it says, all of which
        has to be after ``base``."""
        what = condition.what
        now = self._world.runtime.now()
        if condition.absent and isinstance(what, Happening):
            start = now - condition.lasting
            came = self._count(what, max(start, base.time))
            word = f"{came} in the last {min(condition.lasting, now - base.time):.3g}s"
            return Seen(came == 0 and start >= base.time, word)
        seen = self._judge(condition, base)
        if seen.holds is None or not condition.absent:
            return seen
        return Seen(not seen.holds, seen.words)

    @cached_property
    def _cluster(self) -> Cluster:
        return self._world.cluster()

    def _judge(self, condition: Condition, base: Base) -> Seen:
        what = condition.what
        match what:
            case MetricIs():
                return self._metric(what, base)
            case EventCame() | LogSaid():
                count = self._count(what, base.time)
                instead = ""
                if not count and isinstance(what, EventCame):
                    instead = f"; Events: {_some(self.counts.events)}"
                return Seen(count >= what.minimum, f"{count}{instead}")
            case LeaseChanged():
                count = self._count(what, base.time)
                return Seen(count >= what.transitions, f"{count}")
            case AlarmFires(alarm):
                return self._alarm(alarm)
            case HostsAre(state, bounds):
                states = self._watcher.hosts_by_state()
                count = states["None" if state == NO_STATE else state]
                return Seen(bounds.hold(count), _counts(states))
            case MachinesAre(name, bounds):
                phases = self._phases()
                return Seen(bounds.hold(phases.get(name, 0)), _counts(phases))
            case DoctorFinds(finding):
                return self._doctor(finding, base)

    def _count(self, what: EventCame | LogSaid | LeaseChanged, time: float) -> int:
        if isinstance(what, LogSaid):
            seconds = self._world.runtime.now() - time
            lines = self._cluster.logs(seconds).values()
            return sum(fnmatchcase(line, what.glob) for of_one in lines for line in of_one)
        moments: Moments
        if isinstance(what, EventCame):
            moments = self.counts.events.get(what.reason, [])
        else:
            moments = self.counts.handovers.get(what.lease, [])
        return since(moments, time)

    def _metric(self, what: MetricIs, base: Base) -> Seen:
        assert self._book is not None
        sums = self._book.totals
        value: float | None
        if what.quantile is not None:
            value = quantile(sums, base.counters, what.series, what.quantile)
        else:
            value = total(sums, base.counters, what.series)
        if what.over is not None:
            whole = total(sums, base.counters, what.over)
            # What never happened has no series yet, where its family is there.
            value = (value or 0.0) / whole if whole else None
        if value is None:
            return Seen(False, "no such sample" if what.over is None else "nothing to divide")
        shown = f"{value * 100:.3g}%" if what.over is not None else f"{value:.6g}"
        return Seen(what.bounds.hold(value), shown)

    def _alarm(self, alarm: str) -> Seen:
        if not self._alarms:
            return Seen(None, "promtool is not installed")
        now = self._world.runtime.now()
        if now >= self._evaluated + EVALUATE:
            self._evaluated = now
            try:
                self._firing = self._alarm_book.firing()
            except (OSError, ValueError) as error:
                raise WorldError(f"the alarms cannot be evaluated: {error}") from None
        others = sorted(self._firing - {alarm})
        words = "fires" if alarm in self._firing else "does not fire"
        return Seen(alarm in self._firing, words + (f"; {_some(others)} does" if others else ""))

    def _doctor(self, finding: str, base: Base) -> Seen:
        """What came before ``base`` is over: a storm of conflicts then is no finding now."""
        now = self._world.runtime.now()
        if self._diagnosis is None or now >= self._consulted + CONSULT:
            self._consulted = now
            recent = max(1.0, now - base.time)
            try:
                self._diagnosis = diagnose(self._cluster, before=base.doctor, recent=recent)
            except ApiError as error:
                self._diagnosis = None
                return Seen(False, f"the API does not answer: {error.message}")
        diagnosis = self._diagnosis
        holds = diagnosis.healthy if finding == HEALTHY else diagnosis.has(finding)
        found = list(dict.fromkeys(each.id for each in diagnosis.findings))
        return Seen(holds, _some(found) if found else HEALTHY)

    def _phases(self) -> dict[str, int]:
        """By what the watcher calls them, and by what the API does, which has other words."""
        phases: dict[str, int] = dict(self._watcher.machines_by_phase())
        of_api: dict[str, int] = {}
        for track in self._watcher.machines():
            name = phase(track.last)
            of_api[name] = of_api.get(name, 0) + 1
        for name, count in of_api.items():
            if name:
                phases.setdefault(name, count)
        return phases


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _some(names: Collection[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more if shown else "none"
