"""What a reader of a file takes, found out by handing it documents and listening to it.

A document grows from what a route gives until nothing new is declared: a field that the reader
asks for is put in, by a value of the form that it then declares. What is complained of in a
document that is otherwise right does not belong on this route.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.durations import format_duration
from beskar7.api.problems import Problems
from scenarios.engine.declared import Declared, Survey
from scenarios.fileschema.paths import general, get, is_in, node_of, owners, put, take_out

Reader = Callable[[Node, Problems], object]
MAX_ROUNDS = 20
"""Fields within fields within lists; the deepest file has seven levels."""
PLACEHOLDERS: tuple[Any, ...] = ({}, "x")
"""Put in where a reader only asked whether a field is there; it then says what it should be."""


class SurveyError(Exception):
    """The reader and what is told of it here do not fit: a defect of this package."""


@dataclass(frozen=True, slots=True)
class Field:
    """``declared`` are the forms that it may have, one at least."""

    declared: tuple[Declared, ...]
    required: bool


Shape = Mapping[str, Field]
"""By path: ``a.b`` is a field of a mapping, ``a[]`` an element of a list."""


def survey(
    read: Reader,
    given: Mapping[str, Any],
    *,
    inside: str = "",
    without: Collection[str] = (),
    parts: Mapping[str, Any] | None = None,
    examples: Mapping[str, Sequence[Any]] | None = None,
) -> Shape:
    """The shape of a document that begins as ``given``.

    ``inside``: the path at which the reader sees the document. ``without``: paths that are left
    out. ``parts``: examples, by path, of what is described by itself; what is in these is not
    looked at. ``examples``: values by path, of which one is right where a value made from the
    declaration would not be.
    """
    return _Growth(read, given, inside, frozenset(without), parts or {}, examples or {}).shape()


def declared_at(read: Reader, given: Mapping[str, Any], path: str) -> Declared | None:
    """What the reader says of a field at once; None where it does not ask for its value."""
    heard = Survey()
    read(node_of(given), heard)
    return next((each for each in heard.declared.get(path, ()) if each.typed), None)


class _Growth:
    def __init__(
        self,
        read: Reader,
        given: Mapping[str, Any],
        inside: str,
        without: frozenset[str],
        parts: Mapping[str, Any],
        examples: Mapping[str, Sequence[Any]],
    ) -> None:
        self._read = read
        self._given = given
        self._prefix = f"{inside}." if inside else ""
        self._without = without
        self._parts = parts
        self._examples = examples
        self._declared: dict[str, list[Declared]] = {}
        self._tried: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def shape(self) -> Shape:
        required = self._missing(self._listen(dict(self._given)))
        document = self._grown()
        required |= self._missing(self._listen(_skeleton(document, self._given)))
        refused = self._refused(document)
        found = {}
        for path in self._declared:
            typed = self._typed(path)
            if typed and not any(is_in(path, other) for other in refused):
                found[path] = Field(tuple(typed), path in required)
        return found

    def _typed(self, path: str) -> list[Declared]:
        """What the field may hold; of a part, its own section says what is in it."""
        if path in self._parts:
            return [Declared("mapping")]
        return list(dict.fromkeys(each for each in self._declared[path] if each.typed))

    def _listen(self, document: Mapping[str, Any]) -> Survey:
        heard = Survey()
        self._read(node_of(document), heard)
        for path, declared in heard.declared.items():
            if (own := self._own(path)) is not None:
                known = self._declared.setdefault(own, [])
                known += [each for each in declared if each not in known]
        return heard

    def _own(self, path: str) -> str | None:
        """The path in the document; None for what is not of it, or in a part of its own."""
        if not path.startswith(self._prefix):
            return None
        own = general(path.removeprefix(self._prefix))
        inner = (part for part in self._parts if own != part and is_in(own, part))
        return None if any(inner) else own

    def _problems(self, heard: Survey) -> dict[str, str]:
        found = ((self._own(problem.path), problem.message) for problem in heard.found)
        return {path: message for path, message in found if path is not None}

    def _missing(self, heard: Survey) -> set[str]:
        found = ((self._own(problem.path), problem.message) for problem in heard.found)
        return {path for path, message in found if path is not None and message == "is missing"}

    def _grown(self) -> dict[str, Any]:
        document = copy.deepcopy(dict(self._given))
        for _ in range(MAX_ROUNDS):
            self._listen(document)
            changed = [self._fill(document, path) for path in list(self._declared)]
            if not any(changed):
                return document
        raise SurveyError(f"does not come to an end: {document}")

    def _fill(self, document: dict[str, Any], path: str) -> bool:
        """Put a field in where none is, or another value; whether anything changed."""
        if any(is_in(path, other) for other in self._without):
            return False
        if path.endswith("[]") and self._examples_of(_named(path)):
            return False
        declared = self._declared[path]
        typed = self._typed(path)
        texts = any(each.form == "text-too" for each in declared)
        tried = self._tried.get(path, 0)
        if texts and not tried:
            trial = copy.deepcopy(document)
            put(trial, path, "x")
            self._listen(trial)
            self._tried[path] = 1
            return True
        if path in self._given:
            return False
        if typed:
            if tried >= 9:
                return False
            value, tried = self._sample(path, typed[0]), 9
        elif tried < len(PLACEHOLDERS):
            value = copy.deepcopy(PLACEHOLDERS[tried])
        else:
            return take_out(document, path)
        self._tried[path] = tried + 1
        if value in ({}, [{}]) and isinstance(get(document, path), type(value)):
            return False
        put(document, path, value)
        return True

    def _examples_of(self, path: str) -> Sequence[Any]:
        return next((self._examples[at] for at in owners(path) if at in self._examples), ())

    def _sample(self, path: str, declared: Declared) -> Any:
        if path in self._parts:
            return copy.deepcopy(self._parts[path])
        if examples := self._examples_of(path):
            return copy.deepcopy(examples[0])
        if declared.form == "list" and f"{path}[]" in self._parts:
            return [copy.deepcopy(self._parts[f"{path}[]"])]
        return sample(declared)

    def _refused(self, document: dict[str, Any]) -> set[str]:
        """What does not belong here; takes it out of the document."""
        refused: set[str] = set()
        while True:
            found = self._problems(self._listen(document))
            named = sorted(set(map(_named, found)) - self._given.keys())
            others = [self._other(document, path) for path in named]
            if any(others):
                continue
            out = [path for path in named if take_out(document, path)]
            if not out:
                if found:
                    raise SurveyError(f"{found} of {document}")
                return refused
            refused |= set(out)

    def _other(self, document: dict[str, Any], path: str) -> bool:
        """Put in the next example of the field, if there is one."""
        others = self._examples_of(path)
        number = self._others.get(path, 1)
        if number >= len(others) or get(document, path) is None:
            return False
        self._others[path] = number + 1
        put(document, path, copy.deepcopy(others[number]))
        return True


def sample(declared: Declared) -> Any:
    """A value that keeps the declaration."""
    low = declared.low or 0
    match declared.form:
        case "mapping":
            return {}
        case "list":
            return [{}]
        case "scalars":
            return {"a": "b"}
        case "flag":
            return True
        case "integer":
            return int(low)
        case "number":
            return low
        case "rate":
            return "1/s"
        case "duration":
            return format_duration(max(low, 1.0))
    if declared.known:
        return declared.known[0]
    return declared.example or "x"


def _named(path: str) -> str:
    """The field that a problem with an element of a list is about."""
    return path.removesuffix("[]")


def _skeleton(value: Any, given: Any, *, top: bool = True) -> Any:
    """The document without its leaves, but for what was given."""
    if isinstance(value, dict):
        return {
            name: item if top and name in given else _skeleton(item, {}, top=False)
            for name, item in value.items()
            if isinstance(item, dict | list) or (top and name in given)
        }
    if isinstance(value, list):
        return [_skeleton(item, {}, top=False) for item in value if isinstance(item, dict)]
    return value
