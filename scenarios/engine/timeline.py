"""The swim lanes of the report: what each host was, whose it was, and what its BMC saw."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.engine.evidence import Evidence
from scenarios.engine.history import Track, consumer_uid, state
from scenarios.engine.invariants.operations import group
from scenarios.engine.invariants.states import MachineLog
from scenarios.pages import scales

MAX_LANES = 300
"""Hosts drawn; a page with more of them is no help to anybody. The rest is counted."""
MAX_TICKS = 40_000


@dataclass(frozen=True, slots=True)
class Bar:
    """Places are percent of the width."""

    x: float
    width: float
    css: str
    title: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    css: str
    title: str


@dataclass(slots=True)
class Lane:
    """One host: states above, whose it is on them, operations and requests below."""

    host: str
    about: str
    bars: list[Bar]
    operations: list[Bar]
    ticks: list[Tick]
    faults: list[Bar]
    violated: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """``begin`` and ``end`` are seconds since the load's start; ``hidden`` hosts are not drawn."""

    begin: float
    end: float
    lanes: list[Lane]
    markers: list[Tick]
    grid: list[tuple[float, str]]
    hidden: int


class _Scale:
    def __init__(self, evidence: Evidence) -> None:
        self.origin = evidence.origin
        self.began = evidence.began
        # Enrolment is worth a tenth of the width at most: the load is what people look for.
        load = max(evidence.ended - evidence.origin, 1e-3)
        self.start = max(evidence.began, evidence.origin - load / 9)
        if evidence.load_began is None:
            self.start = evidence.began
        self.end = max(evidence.ended, self.start + 1e-3)

    def percent(self, time: float) -> float:
        share = (time - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def since(self, time: float) -> float:
        return time - self.origin


def build(evidence: Evidence, violated_hosts: set[str], about: dict[str, str]) -> Timeline:
    """``about``: a line on each host (vendor, rack)."""
    scale = _Scale(evidence)
    log = MachineLog(evidence.events)
    operations = group(evidence.requests)
    tracks = sorted(evidence.history.hosts.values(), key=lambda t: (t.name, t.created))
    lanes: dict[str, Lane] = {}
    ticks = 0
    for track in tracks:
        name = track.name
        if name not in lanes and len(lanes) >= MAX_LANES:
            continue
        known = name in lanes
        lane = lanes.setdefault(name, Lane(name, about.get(name, ""), [], [], [], []))
        lane.bars += _bars(track, evidence, scale)
        if known:
            continue
        lane.violated = name in violated_hosts
        lane.faults = _fault_bars(name, evidence, scale)
        for operation in operations.get(name, []):
            header = operation.header
            owner = evidence.history.machine_name(header.consumer) or header.consumer or "nobody"
            span = f"{scale.since(operation.start):.3f} to {scale.since(operation.end):.3f} s"
            lane.operations.append(
                _bar(
                    scale,
                    operation.start,
                    operation.end,
                    f"op op-{header.kind or 'none'}",
                    f"{header.kind or operation.id} for {owner} by {operation.manager}, {span}",
                )
            )
            for request in operation.writes:
                ticks += 1
                if ticks > MAX_TICKS:
                    break
                bad = "" if 200 <= request.status < 300 else " bad"
                said = f"{request.action} -> {request.status or 'no answer'}"
                said += f" at {scale.since(request.start):.3f} s, "
                said += f"{(request.end - request.start) * 1000:.0f} ms"
                said += f", fault {request.fault}" if request.fault else ""
                css = f"req{bad}{' hit' if request.fault else ''}"
                lane.ticks.append(Tick(scale.percent(request.start), css, said))
        for event in log.until(name, scale.end):
            if event.type in ("boot-finished", "power-off") and event.time >= scale.start:
                said = f"{event.type} {event.detail} at {scale.since(event.time):.3f} s"
                lane.ticks.append(Tick(scale.percent(event.time), f"event {event.type}", said))
    hidden = len({track.name for track in tracks}) - len(lanes)
    markers = [
        Tick(scale.percent(i.time), f"incident {i.kind}", f"{scale.since(i.time):.2f} s: {words}")
        for i in evidence.incidents
        if (words := " ".join(part for part in (i.kind, i.subject, i.detail) if part))
    ]
    return Timeline(
        scale.since(scale.start),
        scale.since(scale.end),
        list(lanes.values()),
        markers,
        _grid(scale),
        hidden,
    )


def _bar(scale: _Scale, start: float, end: float, css: str, title: str, label: str = "") -> Bar:
    left, right = scale.percent(start), scale.percent(end)
    return Bar(left, round(right - left, 3), css, title, label)


def _bars(track: Track, evidence: Evidence, scale: _Scale) -> list[Bar]:
    """One bar for each stretch with the same state and owner."""
    bars: list[Bar] = []
    for held in track.stretches(scale.end, lambda obj: (state(obj), consumer_uid(obj))):
        at, owner = held.value
        if held.end <= scale.start:
            continue
        name = evidence.history.machine_name(owner) or owner
        span = f"{scale.since(held.start):.3f} to {scale.since(held.end):.3f} s"
        title = f"{at or 'None'}{' of ' + name if name else ''}, {span}"
        bar = _bar(scale, held.start, held.end, f"state st-{at or 'None'}", title, name)
        if bar.width > 0 or at not in ("", "None"):
            bars.append(bar)
    return bars


def _fault_bars(host: str, evidence: Evidence, scale: _Scale) -> list[Bar]:
    """The windows of the faults that hit this host at least once."""
    bars = []
    for window in evidence.faults:
        if host in evidence.fault_hits.get(window.fault["id"], set()):
            end = scale.end if window.end is None else min(window.end, scale.end)
            until = "the end" if window.end is None else f"{scale.since(window.end):.1f} s"
            title = f"fault {window.fault['id']} ({window.fault['kind']}), "
            title += f"{scale.since(window.start):.1f} s to {until}"
            css = f"fault fault-{window.fault['kind']}"
            bars.append(_bar(scale, window.start, end, css, title))
    return bars


def _grid(scale: _Scale) -> list[tuple[float, str]]:
    """Place and name of the upright lines, at round seconds since the load's start."""
    return [
        (scale.percent(scale.origin + tick), f"{tick:g} s")
        for tick in scales.ticks(0.0, max(scale.since(scale.end), 1e-3), count=10)
        if scale.origin + tick <= scale.end
    ]
