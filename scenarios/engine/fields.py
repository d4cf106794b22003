"""Reads the fields of one mapping: types, bounds, defaults, and names that nobody knows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.problems import Problems, Where, closest
from scenarios.engine.declared import REQUIRED as _REQUIRED
from scenarios.engine.declared import Declared, Form, Survey
from scenarios.engine.quantities import rate_of, seconds_of, span

MAX_TEXT = 2048


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

    def _declare(self, name: str, form: Form, default: Any = None, **bounds: Any) -> None:
        if isinstance(self.problems, Survey):
            self.problems.declare(self.at(name), Declared(form, default, **bounds))

    def wrong(self, name: str, message: str) -> None:
        node = self._fields.get(name)
        self.problems.add(node.where if node else self.where, self.at(name), message)

    def has(self, name: str) -> bool:
        self._asked.add(name)
        self._declare(name, "asked")
        return name in self._fields

    def has_text(self, name: str) -> bool:
        """Whether the field is there and holds a text, where it may hold other things, too."""
        self._declare(name, "text-too")
        return self.has(name) and isinstance(self._fields[name].value, str)

    def names(self) -> list[str]:
        return list(self._fields)

    def node(self, name: str, *, required: bool = False) -> Node | None:
        """The field's node; None when it is absent or empty."""
        self._asked.add(name)
        self._declare(name, "asked", _REQUIRED if required else None)
        node = self._fields.get(name)
        if node is None or node.value is None:
            if required:
                self.wrong(name, "is missing")
            return None
        return node

    def child(self, name: str, *, required: bool = False) -> Fields:
        node = self.node(name, required=required)
        self._declare(name, "mapping", _REQUIRED if required else None)
        return Fields(node, self.at(name), self.problems, self.where)

    def items(self, name: str, *, limit: int, least: str = "") -> list[tuple[str, Node]]:
        """Path and node of each element of a list; empty when absent.

        ``least``: it needs an element at least, and this is what is said when it has none.
        """
        node = self.node(name)
        self._declare(
            name, "list", _REQUIRED if least else None, limit=limit, least=1 if least else 0
        )
        if least and (node is None or node.value == []):
            self.wrong(name, least)
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
        known: Iterable[str] | None = None,
    ) -> Any:
        """A text; of those ``known``, where these are given. ``pattern`` fits the whole of it."""
        names = None if known is None else tuple(known)
        self._declare(
            name, "text", default, pattern=pattern, example=example, limit=limit, known=names
        )
        node = self._given(name, default)
        if node is None:
            return "" if default is _REQUIRED else default
        if not isinstance(node.value, str):
            self.wrong(name, f"has to be a text, not {node.shape()}")
        elif len(node.value) > limit:
            self.wrong(name, f"has {len(node.value)} characters; the limit is {limit}")
        elif pattern and not re.fullmatch(pattern, node.value):
            self.wrong(name, f'"{node.value[:80]}" is not valid here; write for example {example}')
        elif names is not None and node.value not in names:
            self.wrong(name, f'"{node.value[:80]}" is unknown; {closest(node.value, names)}')
        else:
            return node.value
        return "" if default is _REQUIRED else default

    def choice(self, name: str, known: tuple[str, ...], default: Any = _REQUIRED) -> Any:
        self._declare(name, "choice", default, known=known)
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
        self._declare(name, "integer", default, low=low, high=high)
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
        self._declare(name, "number", default, low=low, high=high, unit=unit)
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
        self._declare(name, "rate", _REQUIRED, low=low, high=high)
        node = self.node(name, required=True)
        if node is None:
            return low
        value = rate_of(node.value)
        if value is None:
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
        self._declare(name, "duration", default, low=low, high=high)
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
        try:
            seconds = seconds_of(str(node.value), signed=low < 0)
        except ValueError as error:
            self.wrong(name, str(error))
            return fallback
        if not math.isfinite(seconds) or not low <= seconds <= high:
            self.wrong(name, f"is {node.value}; it has to be from {span(low, high)}")
            return fallback
        return seconds

    def durations(self, name: str, *, limit: int, high: float) -> list[float]:
        """A list of durations, in seconds."""
        items = self.items(name, limit=limit)
        of = Fields(None, "", self.problems, self.where)
        of._fields = dict(items)
        return [of.duration(path, high=high) for path in of._fields]

    def flag(self, name: str, default: bool = False) -> bool:
        self._declare(name, "flag", default)
        node = self._given(name, default)
        if node is None:
            return default
        if isinstance(node.value, bool):
            return node.value
        self.wrong(name, f"has to be true or false, not {node.shape()}")
        return default

    def texts(
        self, name: str, *, limit: int = 100, length: int = 253, known: Iterable[str] | None = None
    ) -> tuple[str, ...]:
        """A list of texts of 1 to ``length`` characters; of those ``known``, where given."""
        names = None if known is None else tuple(known)
        found = []
        items = self.items(name, limit=limit)
        self._declare(f"{name}[]", "text", low=1, limit=length, known=names)
        for path, node in items:
            if isinstance(node.value, str) and 0 < len(node.value) <= length:
                found.append(node.value)
                if names is not None and node.value not in names:
                    said = f'"{node.value[:80]}" is unknown; {closest(node.value, names)}'
                    self.problems.add(node.where, path, said)
            else:
                message = f"has to be a text of 1 to {length} characters, not {node.shape()}"
                self.problems.add(node.where, path, message)
        return tuple(found)

    def scalars(self, name: str, *, limit: int = 100, length: int = MAX_TEXT) -> dict[str, str]:
        """A mapping of text to text of at most ``length`` characters; numbers and booleans are
        written as YAML writes them."""
        self._declare(name, "scalars", limit=limit, length=length)
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
            elif isinstance(value, str | int | float) and len(str(value)) <= length:
                found[key] = str(value)
            elif isinstance(value, str | int | float):
                said = f"the value of {key[:80]} has {len(str(value))} characters"
                self.wrong(name, f"{said}; the limit is {length}")
            else:
                message = f"has to be a text or a number, not {item.shape()}"
                self.problems.add(item.where, f"{self.at(name)}.{key}", message)
        return found

    def finish(self) -> None:
        for name, node in self._fields.items():
            if name not in self._asked:
                hint = closest(name, self._asked)
                self.problems.add(node.where, self.at(name), f"unknown field; {hint}")
