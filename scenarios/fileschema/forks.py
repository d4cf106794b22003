"""Where a file's fields depend on each other: the routes that a reader is asked along.

Each way of a fork is a document of its own to the reader. What it takes on all ways is common;
the rest stands under the condition of its way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]
Way = str | bool


@dataclass(frozen=True, slots=True)
class ByValue:
    """A field that says what else there is: by ``choice``, a text of known ones, or a flag."""

    name: str


@dataclass(frozen=True, slots=True)
class ByPresence:
    """Exactly one of these fields has to be there; ``given`` are values of them."""

    given: Mapping[str, Any]


Fork = ByValue | ByPresence


@dataclass(slots=True)
class Part:
    """Of a mapping: its fields, those that it needs, and what holds under conditions."""

    properties: dict[str, Schema] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    clauses: list[Schema] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.properties or self.required or self.clauses)

    def schema(self) -> Schema:
        found: Schema = {}
        if self.properties:
            found["properties"] = self.properties
        if self.required:
            found["required"] = sorted(self.required)
        if self.clauses:
            found["allOf"] = self.clauses
        return found


def same(one: Any) -> str:
    return json.dumps(one, sort_keys=True)


def merged(
    ways: Mapping[Way, Part], condition: Callable[[Sequence[Way]], Schema], kept: Iterable[str] = ()
) -> Part:
    """One part of those of all ways; ``kept`` are fields that stand in front though not all ways
    have them."""
    whole, rest = Part(), _Rest(list(ways))
    kept = set(kept)
    names = dict.fromkeys(name for part in ways.values() for name in part.properties)
    for name in names:
        having = {
            way: part.properties[name] for way, part in ways.items() if name in part.properties
        }
        if len(set(map(same, having.values()))) == 1 and (len(having) == len(ways) or name in kept):
            whole.properties[name] = next(iter(having.values()))
            continue
        for schema, those in _grouped(having):
            rest.of(those).properties[name] = schema
    for name in dict.fromkeys(name for part in ways.values() for name in part.required):
        those = [way for way, part in ways.items() if name in part.required]
        target = whole if len(those) == len(ways) else rest.of(those)
        target.required.append(name)
    clauses = [(way, clause) for way, part in ways.items() for clause in part.clauses]
    for clause in {same(clause): clause for _, clause in clauses}.values():
        those = [way for way, each in clauses if same(each) == same(clause)]
        target = whole if len(those) == len(ways) else rest.of(those)
        target.clauses.append(clause)
    whole.clauses += [
        {"if": condition(those), "then": part.schema()} for those, part in rest.parts.values()
    ]
    return whole


class _Rest:
    """Parts by the ways that have them, in the order in which they come up."""

    def __init__(self, order: list[Way]) -> None:
        self._order = order
        self.parts: dict[str, tuple[list[Way], Part]] = {}

    def of(self, ways: Iterable[Way]) -> Part:
        those = sorted(ways, key=self._order.index)
        return self.parts.setdefault(same(those), (those, Part()))[1]


def _grouped(having: Mapping[Way, Schema]) -> list[tuple[Schema, list[Way]]]:
    found: dict[str, tuple[Schema, list[Way]]] = {}
    for way, schema in having.items():
        found.setdefault(same(schema), (schema, []))[1].append(way)
    return list(found.values())


def value_is(name: str, default: Any) -> Callable[[Sequence[Way]], Schema]:
    """The condition that the field has one of these values; when absent, it has its default."""

    def condition(ways: Sequence[Way]) -> Schema:
        one = {"const": ways[0]} if len(ways) == 1 else {"enum": list(ways)}
        found: Schema = {"properties": {name: one}}
        return found if default in ways else {**found, "required": [name]}

    return condition


def there_is(ways: Sequence[Way]) -> Schema:
    """The condition that one of these fields is there."""
    conditions: list[Schema] = [{"required": [way]} for way in ways]
    return conditions[0] if len(conditions) == 1 else {"anyOf": conditions}
