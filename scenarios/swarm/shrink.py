"""Makes a failing document smaller, step by step, as long as it fails in the same way.

Delta debugging (Zeller and Hildebrandt, 2002) in its simplest form: leave out large pieces first,
then smaller ones, until nothing more can go. It knows nothing of scenarios; what it makes may be
nonsense, which ``sound`` and the predicate have to refuse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, cast

from beskar7.api.durations import format_duration, parse_duration

Document = dict[str, Any]
Path = tuple[str | int, ...]
Fails = Callable[[Document], bool]


class OutOfRuns(Exception):
    """The budget of runs is used up."""


@dataclass(slots=True)
class Shrinker:
    """``document`` is the smallest known to fail. ``fails`` is asked at most ``budget`` times.

    ``sound``: what it refuses is not even tried. ``kept``: names whose values are left as they are,
    wherever they stand. ``note`` is called after each answer.
    """

    document: Document
    fails: Fails
    budget: int
    sound: Fails = lambda document: True
    kept: frozenset[str] = frozenset()
    note: Callable[[Shrinker], None] = lambda shrinker: None
    runs: int = 0
    smaller: int = 0
    _known: set[str] = field(default_factory=set)

    def shrink(self) -> Document:
        """Until nothing more can go, or the budget is used up; :attr:`document` at the end.

        What interrupts it passes through, with the smallest so far in :attr:`document`.
        """
        try:
            while any([self._lists(), self._numbers(), self._keys(), self._texts()]):
                pass
        except OutOfRuns:
            pass
        return self.document

    def _try(self, path: Path, value: object) -> bool:
        """Whether it still fails with another value at ``path``; if so, that is kept."""
        candidate = _with(self.document, path, value)
        known = json.dumps(candidate, sort_keys=True)
        if known in self._known:
            return False
        self._known.add(known)
        if not self.sound(candidate):
            return False
        if self.runs >= self.budget:
            raise OutOfRuns
        self.runs += 1
        failed = self.fails(candidate)
        if failed:
            self.document = candidate
            self.smaller += 1
        self.note(self)
        return failed

    def _lists(self) -> bool:
        """Leave out elements of lists: half of them, a quarter, each."""
        found = False
        for path, value in self._all(list):
            found |= self._fewer(path, value, list)
        return found

    def _keys(self) -> bool:
        """Leave out fields of mappings; those that have to be there, the predicate refuses."""
        found = False
        for path, value in self._all(dict):
            found |= self._fewer(path, [*value.items()], dict)
        return found

    def _fewer(
        self, path: Path, items: list[Any], build: Callable[[Sequence[Any]], object]
    ) -> bool:
        found = False
        size = len(items)
        while size:
            at = 0
            while at < len(items):
                chunk = items[at : at + size]
                kept = build is dict and any(name in self.kept for name, _ in chunk)
                fewer = items[:at] + items[at + size :]
                if not kept and self._try(path, build(fewer)):
                    items, found = fewer, True
                else:
                    at += size
            size //= 2
        return found

    def _numbers(self) -> bool:
        """Smaller whole numbers: none, one, half, one less."""
        found = False
        for path, value in self._all(int):
            for less in _below(value):
                if self._try(path, less):
                    found = True
                    break
        return found

    def _texts(self) -> bool:
        """Shorter and rounder durations, and numbers that are written as text."""
        found = False
        for path, value in self._all(str):
            for simpler in _simpler(value):
                if self._try(path, simpler):
                    found = True
                    break
        return found

    def _all(self, kind: type) -> Iterator[tuple[Path, Any]]:
        """Path and value of everything of that kind, as it is when its turn comes."""
        for path in [path for path, value in _walk(self.document, self.kept) if _is(value, kind)]:
            try:
                value = _at(self.document, path)
            except LookupError:
                continue
            if _is(value, kind):
                yield path, value


def _is(value: object, kind: type) -> bool:
    """``True`` is no number here."""
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _walk(value: object, kept: frozenset[str], path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Everything in ``value``, outer before inner."""
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in kept:
                yield from _walk(inner, kept, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, kept, (*path, index))


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _with(document: Document, path: Path, value: object) -> Document:
    """A copy with another value at ``path``."""
    if not path:
        return cast("Document", deepcopy(value))
    copy = deepcopy(document)
    _at(copy, path[:-1])[path[-1]] = value
    return copy


SHORTEST = 0.001
"""Seconds below which no duration is tried: no reader sees a difference, nor can all be written."""


def _below(value: int) -> list[int]:
    return [less for less in dict.fromkeys((0, 1, value // 2, value - 1)) if 0 <= less < value]


def _simpler(text: str) -> list[str]:
    if text.isascii() and text.isdigit():
        return [str(less) for less in _below(int(text))]
    try:
        seconds = parse_duration(text)
    except ValueError:
        return []
    if seconds <= SHORTEST:
        return []
    unit = 10.0 ** math.floor(math.log10(seconds))
    halves = [unit, seconds / 2, math.floor(seconds / unit) * unit]
    kept = [float(f"{less:.3g}") for less in halves if SHORTEST <= less < seconds]
    return [less for less in dict.fromkeys(map(format_duration, kept)) if less != text]


def values(document: object) -> int:
    """How many values there are in it: what a reader has to look at."""
    if isinstance(document, dict):
        return sum(values(item) for item in document.values())
    if isinstance(document, list):
        return sum(values(item) for item in document)
    return 1
