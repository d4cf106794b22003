"""Label and field selectors: from their query-parameter form to predicates on objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import BadRequest
from beskar7.api.objects import Object
from emulator.kube.store.metadata import is_label_value, is_qualified_name

Predicate = Callable[[Object], bool]

MAX_LENGTH = 16 * 1024  # characters; longer ones are refused, not parsed
_TOKEN = re.compile(r"\s*(?:(==|!=|[=!(),])|([^\s=!(),]+))")
ALWAYS_SELECTABLE = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """``operator`` is In, NotIn, Exists or DoesNotExist, as in ``metav1.LabelSelector``."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: dict[str, str]) -> bool:
        if self.operator == "Exists":
            return self.key in labels
        if self.operator == "DoesNotExist":
            return self.key not in labels
        if self.operator == "In":
            return self.key in labels and labels[self.key] in self.values
        return labels.get(self.key) not in self.values  # NotIn holds where the key is absent


def parse_labels(text: str) -> list[Requirement]:
    """``a=b,c!=d,e in (f,g),h notin (i),j,!k``. Raises :class:`BadRequest` on anything else."""
    return _LabelParser(text).parse()


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._tokens:
            return found
        while True:
            found.append(self._requirement())
            word = self._next()
            if word == "":
                return found
            if word != ",":
                raise self._error(f"found '{word}', expected: ',' or 'end of string'")

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            return ""
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "DoesNotExist")
        key = self._key()
        word = self._peek()
        if word in ("", ","):
            return Requirement(key, "Exists")
        self._next()
        if word in ("=", "==", "!="):
            value = "" if self._peek() in ("", ",") else self._next()
            operator = "NotIn" if word == "!=" else "In"
            return Requirement(key, operator, frozenset({self._value(value)}))
        if word in ("in", "notin"):
            operator = "In" if word == "in" else "NotIn"
            return Requirement(key, operator, self._set())
        raise self._error(f"found '{word}', expected: in, notin, =, ==, !=")

    def _set(self) -> frozenset[str]:
        if self._next() != "(":
            raise self._error("expected '(' after a set operator")
        values: set[str] = set()
        while True:
            # An empty item stands for the empty value: "a in (,b)".
            values.add(self._value("" if self._peek() in (",", ")") else self._next()))
            word = self._next()
            if word == ")":
                return frozenset(values)
            if word != ",":
                raise self._error(f"found '{word}', expected: ',' or ')'")

    def _key(self) -> str:
        key = self._next()
        if not is_qualified_name(key):
            raise self._error(f"'{key}' is not a valid label key")
        return key

    def _value(self, value: str) -> str:
        if not is_label_value(value):
            raise self._error(f"'{value}' is not a valid label value")
        return value

    def _error(self, why: str) -> BadRequest:
        return BadRequest(f'unable to parse requirement in label selector "{self._text}": {why}')


def _tokens(text: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"a selector of {len(text)} characters: at most {MAX_LENGTH} are taken")
    tokens: list[str] = []
    end = len(text.rstrip())
    at = 0
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:  # pragma: no cover - every character is one or the other
            raise BadRequest(f'invalid selector "{text}"')
        tokens.append(match.group(1) or match.group(2))
        at = match.end()
    return tokens


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    path: str
    value: str
    negated: bool = False

    def matches(self, obj: Object) -> bool:
        return (field_value(obj, self.path) == self.value) is not self.negated


def field_value(obj: Object, path: str) -> str:
    """The field as a selector compares it: text, "" when it is missing."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def parse_fields(text: str, selectable: Collection[str] | None = None) -> list[FieldRequirement]:
    """``metadata.name=a,type!=Normal``; a backslash escapes ``,``, ``=`` and itself in a value.

    ``selectable`` names the fields that the kind offers besides name and namespace; None allows
    any dotted path. Raises :class:`BadRequest` on a bad term or a field that is not offered.
    """
    if len(text) > MAX_LENGTH:
        raise BadRequest(f"a selector of {len(text)} characters: at most {MAX_LENGTH} are taken")
    found: list[FieldRequirement] = []
    for term in re.findall(r"(?:\\.|[^,\\])+", text):
        match = re.fullmatch(r"\s*([\w.\-/\[\]]+)\s*(!=|==|=)((?:\\.|[^=\\!])*)", term, re.DOTALL)
        if match is None:
            raise BadRequest(f"invalid field selector \"{text}\": can't understand '{term}'")
        path, operator, value = match.groups()
        if selectable is not None and path not in ALWAYS_SELECTABLE and path not in selectable:
            raise BadRequest(f'field label not supported: "{path}"')
        plain = re.sub(r"\\(.)", r"\1", value.strip())
        found.append(FieldRequirement(path, plain, operator == "!="))
    return found


def compile_selectors(
    label_selector: str | None,
    field_selector: str | None,
    selectable: Collection[str] | None = None,
) -> Predicate | None:
    """One predicate for both selectors; None when they select everything."""
    labels = parse_labels(label_selector or "")
    fields = parse_fields(field_selector or "", selectable)
    if not labels and not fields:
        return None

    def matches(obj: Object) -> bool:
        if not all(field.matches(obj) for field in fields):
            return False
        found = obj["metadata"].get("labels") or {}
        return all(requirement.matches(found) for requirement in labels)

    return matches
