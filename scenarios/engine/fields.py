"""Reads the fields of one mapping: types, bounds, defaults, and names that nobody knows."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.problems import Problems, Where, closest

_REQUIRED: Any = object()
MAX_TEXT = 2048
_RATES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def beside(node: Node, place: str) -> str:
    """The absolute place of a file that a value names: relative to the document that it stands in,
    or, from ``--set``, to the working directory."""
    folder = Path(node.where.source).parent if node.where.line else Path()
    return str((folder / place).resolve())


class Fields:
    """Every getter returns the value, or the default after noting what is wrong with it.

    Call :meth:`finish` last: it notes the fields that no getter asked for.
    """

    def __init__(self, node: Node | None, path: str, problems: Problems, where: Where) -> None:
        self.path = path
        self.problems = problems
        self.where = node.where if node is not None else where
        self._asked: set[str] = set()
        self._fields: dict[str, Node] = {}
        if node is None:
            return
        if isinstance(node.value, dict):
            self._fields = node.mapping
        else:
            self.problems.add(node.where, path, f"has to be a mapping, not {node.shape()}")
            self._asked = set()

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, message: str) -> None:
        node = self._fields.get(name)
        self.problems.add(node.where if node else self.where, self.at(name), message)

    def has(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._fields

    def has_text(self, name: str) -> bool:
        """Whether the field is there and holds a text, where it may hold other things, too."""
        return self.has(name) and isinstance(self._fields[name].value, str)

    def names(self) -> list[str]:
        return list(self._fields)

    def node(self, name: str, *, required: bool = False) -> Node | None:
        """The field's node; None when it is absent or empty."""
        self._asked.add(name)
        node = self._fields.get(name)
        if node is None or node.value is None:
            if required:
                self.wrong(name, "is missing")
            return None
        return node

    def child(self, name: str, *, required: bool = False) -> Fields:
        node = self.node(name, required=required)
        return Fields(node, self.at(name), self.problems, self.where)

    def items(self, name: str, *, limit: int) -> list[tuple[str, Node]]:
        """Path and node of each element of a list; empty when absent."""
        node = self.node(name)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.wrong(name, f"has to be a list, not {node.shape()}")
            return []
        if len(node.items) > limit:
            self.wrong(name, f"has {len(node.items)} elements; the limit is {limit}")
            return []
        return [(f"{self.at(name)}[{i}]", item) for i, item in enumerate(node.items)]

    def _given(self, name: str, default: Any) -> Node | None:
        return self.node(name, required=default is _REQUIRED)

    def text(
        self,
        name: str,
        default: Any = _REQUIRED,
        *,
        pattern: str | None = None,
        example: str = "",
        limit: int = MAX_TEXT,
    ) -> Any:
        node = self._given(name, default)
        if node is None:
            return "" if default is _REQUIRED else default
        if not isinstance(node.value, str):
            self.wrong(name, f"has to be a text, not {node.shape()}")
        elif len(node.value) > limit:
            self.wrong(name, f"has {len(node.value)} characters; the limit is {limit}")
        elif pattern and not re.fullmatch(pattern, node.value):
            self.wrong(name, f'"{node.value[:80]}" is not valid here; write for example {example}')
        else:
            return node.value
        return "" if default is _REQUIRED else default

    def choice(self, name: str, known: tuple[str, ...], default: Any = _REQUIRED) -> Any:
        node = self._given(name, default)
        fallback = known[0] if default is _REQUIRED else default
        if node is None:
            return fallback
        if node.value in known and isinstance(node.value, str):
            return node.value
        if isinstance(node.value, str):
            self.wrong(name, f'"{node.value[:40]}" is unknown; {closest(node.value, known)}')
        else:
            self.wrong(name, f"has to be one of {', '.join(known)}, not {node.shape()}")
        return fallback

    def integer(self, name: str, default: Any = _REQUIRED, *, low: int = 0, high: int) -> Any:
        node = self._given(name, default)
        fallback = low if default is _REQUIRED else default
        if node is None:
            return fallback
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, f"has to be a whole number, not {node.shape()}")
        elif not low <= value <= high:
            self.wrong(name, f"is {value}; it has to be from {low} to {high}")
        else:
            return value
        return fallback

    def number(
        self, name: str, default: Any = _REQUIRED, *, low: float = 0.0, high: float, unit: str = ""
    ) -> Any:
        """A number; one with ``unit`` may carry it as its ending (``5/s`` for unit ``/s``)."""
        node = self._given(name, default)
        fallback = low if default is _REQUIRED else default
        if node is None:
            return fallback
        value = node.value
        if unit and isinstance(value, str) and value.endswith(unit):
            try:
                value = float(value[: -len(unit)])
            except ValueError:
                value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            example = f", for example 5{unit}" if unit else ""
            self.wrong(name, f"has to be a number{example}, not {node.shape()}")
        elif not math.isfinite(value) or not low <= value <= high:
            self.wrong(name, f"is {value:g}; it has to be from {low:g} to {high:g}")
        else:
            return float(value)
        return fallback

    def rate(self, name: str, *, low: float, high: float) -> float:
        """Events per second: ``5/s``, ``40/h``, ``200/d`` (and ``/m``); a plain number is per
        second."""
        node = self.node(name, required=True)
        if node is None:
            return low
        value = node.value
        if isinstance(value, str):
            number, _, unit = value.partition("/")
            try:
                value = float(number) / _RATES[unit.strip()]
            except (ValueError, KeyError):
                value = None
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(name, f"has to be a rate such as 5/s, 40/h or 200/d, not {node.shape()}")
        elif not math.isfinite(value) or not low <= value <= high:
            self.wrong(name, f"is {value:g}/s; it has to be from {low:g}/s to {high:g}/s")
        else:
            return float(value)
        return low

    def duration(
        self, name: str, default: Any = _REQUIRED, *, low: float = 0.0, high: float = 86_400.0
    ) -> Any:
        """Seconds; ``-10s`` where ``low`` is below zero."""
        node = self._given(name, default)
        fallback = low if default is _REQUIRED else default
        if node is None:
            return fallback
        if isinstance(node.value, bool) or not isinstance(node.value, str | int | float):
            self.wrong(name, f"has to be a duration such as 10s, not {node.shape()}")
            return fallback
        if not isinstance(node.value, str) and node.value != 0:
            self.wrong(name, f"{node.value} has no unit; write for example {node.value}s")
            return fallback
        text = str(node.value)
        negative = low < 0 and text.startswith("-")
        try:
            seconds = -parse_duration(text[1:]) if negative else parse_duration(text)
        except ValueError as error:
            self.wrong(name, str(error))
            return fallback
        if not math.isfinite(seconds) or not low <= seconds <= high:
            sign = "-" if low < 0 else ""
            bounds = f"{sign}{format_duration(abs(low))} to {format_duration(high)}"
            self.wrong(name, f"is {node.value}; it has to be from {bounds}")
            return fallback
        return seconds

    def durations(self, name: str, *, limit: int, high: float) -> list[float]:
        """A list of durations, in seconds."""
        items = self.items(name, limit=limit)
        of = Fields(None, "", self.problems, self.where)
        of._fields = dict(items)
        return [of.duration(path, high=high) for path in of._fields]

    def flag(self, name: str, default: bool = False) -> bool:
        node = self._given(name, default)
        if node is None:
            return default
        if isinstance(node.value, bool):
            return node.value
        self.wrong(name, f"has to be true or false, not {node.shape()}")
        return default

    def texts(self, name: str, *, limit: int = 100, length: int = 253) -> tuple[str, ...]:
        """A list of texts."""
        found = []
        for path, node in self.items(name, limit=limit):
            if isinstance(node.value, str) and 0 < len(node.value) <= length:
                found.append(node.value)
            else:
                message = f"has to be a text of 1 to {length} characters, not {node.shape()}"
                self.problems.add(node.where, path, message)
        return tuple(found)

    def scalars(self, name: str, *, limit: int = 100) -> dict[str, str]:
        """A mapping of text to text; numbers and booleans are written as YAML writes them."""
        node = self.node(name)
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.wrong(name, f"has to be a mapping, not {node.shape()}")
            return {}
        if len(node.mapping) > limit:
            self.wrong(name, f"has {len(node.mapping)} entries; the limit is {limit}")
            return {}
        found: dict[str, str] = {}
        for key, item in node.mapping.items():
            value = item.value
            if isinstance(value, bool):
                found[key] = str(value).lower()
            elif isinstance(value, str | int | float) and len(str(value)) <= MAX_TEXT:
                found[key] = str(value)
            else:
                message = f"has to be a short text or a number, not {item.shape()}"
                self.problems.add(item.where, f"{self.at(name)}.{key}", message)
        return found

    def finish(self) -> None:
        for name, node in self._fields.items():
            if name not in self._asked:
                hint = closest(name, self._asked)
                self.problems.add(node.where, self.at(name), f"unknown field; {hint}")
