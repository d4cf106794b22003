"""What ``timeline.html`` draws, as plain data: lanes of hosts, machines and managers, entries.

A storm of a thousand hosts would make a page that no browser opens. So hosts come in an order of
interest (those of violations first, then those that faults hit, then by name) until the page is
full; the rest is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from scenarios.engine.history import Track, consumer_name, phase, state
from scenarios.engine.story.chapters import cited
from scenarios.engine.story.entries import ORDER, Entry, describe_fault
from scenarios.engine.story.leases import holds
from scenarios.engine.story.recording import Recording, describe_host, fault_hits, lives

MAX_BYTES = 3_500_000
"""Of the entries and lanes of hosts. With stories and script the page stays under 5 MB."""
MAX_MACHINES = 50
"""Machines with a lane of their own: those that violations name."""

Row = list[float | int]
Lane = dict[str, Any]


class Words:
    """Texts that occur often, by number."""

    def __init__(self) -> None:
        self.texts: list[str] = [""]
        self._numbers = {"": 0}
        self.bytes = 0

    def number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = len(self.texts)
            self.texts.append(text)
            self.bytes += len(orjson.dumps(text)) + 1
        return known


def build(recording: Recording, logged: Sequence[Entry], limit: int = MAX_BYTES) -> dict[str, Any]:
    """Times are seconds since the load's start, rounded to a tenth of a millisecond.

    ``limit`` in bytes is kept by leaving out hosts; the first one is always there.
    """
    words = Words()
    tracks = _by_interest(recording)
    machines = _machines(recording, words)
    own, world = _homes(recording, logged, tracks, {lane["name"] for lane in machines})
    rows = {index: _row(logged[index], recording, words) for index in world}
    hits = fault_hits(recording)
    hosts: list[Lane] = []
    size = len(orjson.dumps(list(rows.values())))
    for name, lives_of in tracks.items():
        fresh = {i: _row(logged[i], recording, words) for i in own[name] if i not in rows}
        lane = _host(name, lives_of, recording, words, hits)
        size += len(orjson.dumps([*fresh.values(), lane]))
        if hosts and size + words.bytes > limit:
            break
        rows |= fresh
        hosts.append(lane)
    shown = sorted(rows)
    number = {index: place for place, index in enumerate(shown)}
    for lane in hosts:
        lane["entries"] = [number[index] for index in own[lane["name"]]]
    told = [logged[index] for index in shown]
    writes = [(place, entry) for place, entry in enumerate(told) if entry.source == "write"]
    for lane in machines:
        lane["entries"] = [place for place, entry in writes if lane["name"] in entry.machines]
    order = {name: place for place, name in enumerate(sorted(tracks))}
    return {
        "begin": _rounded(recording.since(recording.began)),
        "end": _rounded(recording.since(recording.ended)),
        "sources": list(ORDER),
        "rows": [rows[index] for index in shown],
        "managers": _managers(recording, writes),
        "machines": machines,
        "hosts": sorted(hosts, key=lambda lane: (not lane["hurt"], order[lane["name"]])),
        "hidden": len(tracks) - len(hosts),
        "faults": [
            _fault(window.start, window.end, describe_fault(window), recording)
            for window in recording.faults
        ],
        "violations": [
            {
                "time": _rounded(recording.since(violation.time)),
                "invariant": violation.invariant,
                "host": violation.host,
                "machine": violation.machine,
                "detail": violation.detail,
                "refs": sorted(cited([violation])),
            }
            for violation in recording.violations
        ],
        "words": words.texts,
    }


def _homes(
    recording: Recording, logged: Sequence[Entry], hosts: Iterable[str], machines: set[str]
) -> tuple[dict[str, list[int]], list[int]]:
    """Positions in ``logged`` by the host on whose lane an entry is, and those of no host.

    The latter are drawn on managers' and machines' lanes, or above all.
    """
    refs = cited(recording.violations)
    own: dict[str, list[int]] = {name: [] for name in hosts}
    world: list[int] = []
    for index, entry in enumerate(logged):
        if entry.source == "fault" or (entry.quiet and entry.ref not in refs):
            continue
        homes = [host for host in entry.hosts if host in own]
        for host in homes:
            own[host].append(index)
        concerned = entry.everyone or entry.ref in refs or not machines.isdisjoint(entry.machines)
        if not homes and concerned:
            world.append(index)
    return own, world


def _rounded(seconds: float) -> float:
    return round(seconds, 4)


def _by_interest(recording: Recording) -> dict[str, list[Track]]:
    """The lives of each host by its name, the most interesting ones first."""
    found: dict[str, list[Track]] = {}
    for track in recording.history.hosts.values():
        found.setdefault(track.name, []).append(track)
    hurt = {violation.host for violation in recording.violations}
    refs = cited(recording.violations)
    touched = {w.name for w in recording.history.writes if f"w{w.seq}" in refs}
    touched |= {r.host for r in recording.requests if f"r{r.seq}" in refs}
    hit = set().union(*fault_hits(recording).values())
    names = sorted(found, key=lambda n: (n not in hurt, n not in touched, n not in hit, n))
    return {name: found[name] for name in names}


def _row(entry: Entry, recording: Recording, words: Words) -> Row:
    """Source, time, duration, trouble (1 failed, 2 a fault, 3 both), five texts, number, tall.

    The texts: who, did, result, note, fault. ``tall`` (1): no mere read that went well.
    """
    texts = (entry.who, entry.did, entry.result, entry.note, entry.fault)
    return [
        ORDER.index(entry.source),
        _rounded(recording.since(entry.time)),
        _rounded(entry.end - entry.time),
        int(entry.bad) + 2 * bool(entry.fault),
        *(words.number(text) for text in texts),
        entry.seq,
        int(entry.source == "request" and not entry.group),
    ]


def _host(
    name: str,
    tracks: Sequence[Track],
    recording: Recording,
    words: Words,
    hits: dict[str, set[str]],
) -> Lane:
    return {
        "name": name,
        "about": describe_host(tracks[-1]),
        "hurt": any(violation.host == name for violation in recording.violations),
        "owners": [bar for t in tracks for bar in _bars(t, recording, words, consumer_name)],
        "states": [bar for t in tracks for bar in _bars(t, recording, words, state)],
        "faults": [
            _fault(window.start, window.end, describe_fault(window), recording)
            for window in recording.faults
            if any(name in hits.get(id, ()) for id in window.kinds)
        ],
    }


def _bars(track: Track, recording: Recording, words: Words, key: Any) -> Iterable[Row]:
    """Start, end, text and the number of the write that made it so."""
    for held in track.stretches(recording.ended, key):
        if held.value:
            span = (recording.since(held.start), recording.since(held.end))
            yield [*map(_rounded, span), words.number(held.value), held.seq]


def _fault(start: float, end: float | None, text: str, recording: Recording) -> list[Any]:
    last = recording.ended if end is None else min(end, recording.ended)
    return [_rounded(recording.since(start)), _rounded(recording.since(last)), text]


def _machines(recording: Recording, words: Words) -> list[Lane]:
    """Those that violations name, with what they owned and their phases."""
    names = [v.machine for v in recording.violations if v.machine]
    wanted = list(dict.fromkeys(names))[:MAX_MACHINES]
    owned: dict[str, list[Row]] = {}
    for held in recording.history.ownerships():
        end = recording.ended if held.end is None else held.end
        span = (recording.since(held.start), recording.since(end))
        bar: Row = [*map(_rounded, span), words.number(held.host), held.start_seq]
        owned.setdefault(held.owner_name, []).append(bar)
    found = []
    for name in wanted:
        tracks = [t for t in recording.history.machines.values() if t.name == name]
        phases = [
            bar for t in tracks for bar in _bars(t, recording, words, lambda m: phase(m) or "None")
        ]
        found.append({"name": name, "hosts": owned.get(name, []), "phases": phases})
    return found


def _managers(recording: Recording, writes: Sequence[tuple[int, Entry]]) -> list[Lane]:
    """``writes`` with their positions among the rows."""
    leases = holds(recording.history, recording.ended)
    return [
        {
            "name": life.identity,
            "start": _rounded(recording.since(life.start)),
            "end": _rounded(recording.since(recording.ended if life.end is None else life.end)),
            "killed": life.killed,
            "leases": [
                [*(_rounded(recording.since(time)) for time in (hold.start, hold.end)), hold.role]
                for hold in leases
                if hold.holder == life.identity
            ],
            "entries": [place for place, entry in writes if entry.who == life.identity],
        }
        for life in lives(recording)
    ]
