"""What a grid is made of: paths of a scenario with the values that each is to take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from beskar7.api.problems import DocumentError, Problem, Where, closest
from beskar7.config import KEYS, read_setting

CONFIG = "world.config."
PARTS = ("world", "load", "faults", "acts", "rehearsal", "limits", "storm")
"""Of a scenario, or instead of one, those in which something can vary."""
MAX_VALUES = 1000
MAX_POINTS = 2000
_RANGE = re.compile(
    r"(?P<low>-?\d{1,9}(?:\.\d{1,6})?)(?P<unit>[a-z%]{0,2})\.\."
    r"(?P<high>-?\d{1,9}(?:\.\d{1,6})?)(?P<last>[a-z%]{0,2})"
    r"(?::(?P<step>\d{1,9}(?:\.\d{1,6})?)(?P<by>[a-z%]{0,2}))?"
)
_OPENING, _CLOSING = "[{(", "]})"


@dataclass(frozen=True, slots=True)
class Axis:
    """``path`` as ``beskar7 run --set`` takes it, ``values`` as it takes them."""

    path: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The path as people say it: without what it always begins with."""
        for prefix in (CONFIG, "world.managers.args.", "world.", "load."):
            if self.path.startswith(prefix):
                return self.path.removeprefix(prefix)
        return self.path

    def __str__(self) -> str:
        return f"{self.path}={','.join(self.values)}"


Group = tuple[Axis, ...]
"""Axes that take their values together, the first with the first; alone if there is one."""
Setting = tuple[str, str]
"""A path and the value that it takes at a point."""


def read_axis(text: str, flag: str = "--grid") -> Axis:
    """``PATH=A,B,C``, ``PATH=LOW..HIGH`` or ``PATH=LOW..HIGH:STEP``, ends included.

    A key of the ConfigMap may stand without ``world.config.`` before it. Raises DocumentError.
    """
    path, separator, values = text.partition("=")
    if not separator or not path.strip() or not values.strip():
        raise _wrong(flag, text, "has to be PATH=VALUES, as in provisioning.workerCount=2,4,8")
    return axis(path.strip(), _values(values.strip(), flag, text), flag)


def axis(path: str, values: Sequence[str], flag: str = "--grid") -> Axis:
    """An axis whose values are known one by one. Raises DocumentError."""
    if path in KEYS:
        path = CONFIG + path
    if len(values) > MAX_VALUES:
        raise _wrong(flag, path, f"has {len(values)} values; the limit is {MAX_VALUES}")
    key = path.removeprefix(CONFIG)
    if path.startswith(CONFIG):
        # The loader leaves these to the managers, which refuse them in the course of a run.
        for value in values:
            try:
                read_setting(key, value)
            except ValueError as error:
                raise _wrong(flag, f"{path}={value}", str(error)) from None
    elif path.partition(".")[0] not in PARTS:
        message = f"is neither a path of the scenario nor a key of beskar7-config; {_near(path)}"
        raise _wrong(flag, path, message)
    return Axis(path, tuple(values))


def _near(path: str) -> str:
    names = {name.rpartition(".")[2]: name for name in KEYS}
    return f'did you mean "{names[path]}"?' if path in names else closest(path, KEYS)


def _values(text: str, flag: str, whole: str) -> tuple[str, ...]:
    span = _RANGE.fullmatch(text)
    if span is None:
        return _listed(text, flag, whole)
    if not span["unit"] == span["last"] == (span["by"] or span["unit"]):
        raise _wrong(flag, whole, "the ends of a range and its step have one unit")
    low, high, step = Decimal(span["low"]), Decimal(span["high"]), Decimal(span["step"] or 1)
    if high < low or step <= 0:
        raise _wrong(flag, whole, "is empty; write LOW..HIGH:STEP with a step above zero")
    count = int((high - low) / step) + 1
    if count > MAX_VALUES:
        raise _wrong(flag, whole, f"has {count} values; the limit is {MAX_VALUES}")
    return tuple(f"{low + step * index}{span['unit']}" for index in range(count))


def _listed(text: str, flag: str, whole: str) -> tuple[str, ...]:
    """Parts between commas, where these are not within brackets or quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[begin:at].strip())
            begin = at + 1
    parts.append(text[begin:].strip())
    if "" in parts:
        raise _wrong(flag, whole, "has an empty value between commas")
    return tuple(parts)


def zipped(axes: Sequence[Axis], flag: str = "--zip") -> Group:
    """Axes that go together, or one alone.

    Raises DocumentError unless they have as many values each, and no two places are the same.
    """
    first = axes[0]
    for other in axes[1:]:
        if len(other.values) != len(first.values):
            message = f"has {len(other.values)} values, but {first.path} {len(first.values)}"
            raise _wrong(flag, other.path, f"{message}; what goes together has as many of each")
    rows = list(zip(*(each.values for each in axes), strict=True))
    for row in rows:
        if rows.count(row) > 1:
            raise _wrong(flag, first.path, f"has the value {', '.join(row)} twice")
    return tuple(axes)


def count_points(groups: Sequence[Group]) -> int:
    """How many there are; raises DocumentError for too many, and for a path that stands twice."""
    paths = [each.path for group in groups for each in group]
    for path in paths:
        if paths.count(path) > 1:
            raise _wrong("--grid", path, "stands twice; give all its values at once")
    count = 1
    for group in groups:
        count *= len(group[0].values)
    if count > MAX_POINTS:
        message = f"{count} points; the limit is {MAX_POINTS}"
        raise DocumentError([Problem(Where("--grid"), "", message)])
    return count


def settings(groups: Sequence[Group]) -> Iterator[tuple[Setting, ...]]:
    """What is set at each point, the last group's values changing first."""
    rows = [
        [tuple((each.path, each.values[index]) for each in group) for index in _indices(group)]
        for group in groups
    ]
    for chosen in product(*rows):
        yield tuple(setting for part in chosen for setting in part)


def _indices(group: Group) -> range:
    return range(len(group[0].values))


def _wrong(flag: str, what: str, message: str) -> DocumentError:
    return DocumentError([Problem(Where(f"{flag} {what}"[:200]), "", message)])
