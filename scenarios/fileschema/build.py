"""Puts the JSON Schema of a kind of file together, section by section."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from scenarios.engine.declared import REQUIRED
from scenarios.fileschema.draw import Drawing, closed
from scenarios.fileschema.forks import ByValue, Fork, Part, Schema, Way, merged, there_is, value_is
from scenarios.fileschema.sections import Kind, Section
from scenarios.fileschema.survey import Field, Shape, declared_at, survey
from scenarios.fileschema.words import Words

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: Kind) -> Schema:
    """The whole schema of a kind of file."""
    words = Words(kind.name)
    parts = {name: _described(name, kind, words) for name in kind.sections}
    words.finish()
    whole = parts.pop(kind.name)
    return {
        "$schema": DIALECT,
        "$id": f"urn:beskar7:schema:{kind.name}",
        "title": kind.title,
        **whole,
        "$defs": parts,
    }


def _described(name: str, kind: Kind, words: Words) -> Schema:
    section = kind.sections[name]
    examples = {path: kind.sections[ref].example for path, ref in section.refs.items()}
    asking = _Asking(name, section, words, examples)
    part = asking.part(section.forks, section.given, frozenset())
    part.clauses += section.clauses
    found = {**words.of(name, ""), **closed(part)}
    if section.beside:
        found = {"anyOf": [*section.beside, found]}
    return found


class _Asking:
    """The reader of one section, asked along every route."""

    def __init__(self, name: str, section: Section, words: Words, parts: Mapping[str, Any]) -> None:
        self._name = name
        self._section = section
        self._words = words
        self._examples = words.examples(name)
        self._parts = parts

    def part(
        self, forks: tuple[Fork, ...], given: Mapping[str, Any], closed: frozenset[str]
    ) -> Part:
        """What there is beside what is ``given``, where the fields of ``closed`` are not."""
        if not forks:
            return self._asked(given, closed)
        fork, rest = forks[0], forks[1:]
        if isinstance(fork, ByValue):
            return self._by_value(fork.name, rest, given, closed)
        ways: dict[Way, Part] = {
            name: self.part(rest, {**given, name: value}, closed | (fork.given.keys() - {name}))
            for name, value in fork.given.items()
        }
        whole = merged(ways, there_is, kept=fork.given)
        for way in fork.given:
            _no_longer_required(whole, way)
        whole.clauses.append({"oneOf": [{"required": [name]} for name in fork.given]})
        return whole

    def _by_value(
        self, name: str, rest: tuple[Fork, ...], given: Mapping[str, Any], closed: frozenset[str]
    ) -> Part:
        """Forks only where the reader has such a field on this route."""
        one = declared_at(self._section.read, given, name)
        if one is None:
            return self.part(rest, given, closed)
        values: tuple[Way, ...] = (False, True) if one.form == "flag" else one.known or ()
        ways = {value: self.part(rest, {**given, name: value}, closed) for value in values}
        whole = merged(ways, value_is(name, one.default))
        if one.default is REQUIRED:
            whole.required.append(name)
        return whole

    def _asked(self, given: Mapping[str, Any], closed: frozenset[str]) -> Part:
        section = self._section
        shape = self._survey(given, closed)
        words = functools.partial(self._words.of, self._name)
        place = functools.partial(self._words.place, self._name)
        return Drawing(shape, words, place, section.refs, section.more, section.optional).part()

    def _survey(self, given: Mapping[str, Any], closed: frozenset[str]) -> Shape:
        """Of fields that stand apart one is there at a time, and together they are the shape."""
        section = self._section
        found: dict[str, Field] = {}
        also = [each for each in section.also if next(iter(each)) in given]
        for left, other in itertools.product(section.apart or ("",), [{}, *also]):
            shape = survey(
                section.read,
                {**given, **other},
                inside=section.inside,
                without=closed | ({left} - {""}),
                parts=self._parts,
                examples=self._examples,
            )
            found = {
                **found,
                **{path: _either(found.get(path), new) for path, new in shape.items()},
            }
        return found


def _either(old: Field | None, new: Field) -> Field:
    if old is None:
        return new
    declared = tuple(dict.fromkeys([*old.declared, *new.declared]))
    return Field(declared, old.required and new.required)


def _no_longer_required(part: Part, name: str) -> None:
    """That one of a fork's fields has to be there is said once, by its own clause."""
    part.required = [each for each in part.required if each != name]
    for clause in part.clauses:
        then = clause.get("then", {})
        if name in then.get("required", ()):
            then["required"] = [each for each in then["required"] if each != name]
