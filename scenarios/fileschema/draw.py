"""Draws the JSON Schema of a shape: each declaration as the keywords that say the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from beskar7.api.durations import format_duration
from scenarios.engine.declared import REQUIRED, Declared
from scenarios.engine.quantities import span
from scenarios.fileschema.forks import Part, Schema, same
from scenarios.fileschema.paths import steps
from scenarios.fileschema.survey import Field, Shape

TERM = r"(\d+(\.\d*)?|\.\d+)([nuµm]?s|m|h)"
DURATION = rf"^\s*(0|({TERM})+)\s*$"
SIGNED_DURATION = rf"^-?\s*(0|({TERM})+)\s*$"
NUMBER = r"[+-]?(\d[\d_]*(\.[\d_]*)?|\.\d[\d_]*)([eE][+-]?\d+)?"
RATE = rf"^\s*{NUMBER}\s*/\s*[smhd]\s*$"

Words = Callable[[str], Mapping[str, Any]]
"""``description`` and ``examples`` of the field at a path, as far as there are any."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """``place`` orders the fields; ``refs``: the definition that stands at a path; ``more``:
    keywords beside those of the declaration; ``optional``: what is needed only by clauses."""

    shape: Shape
    words: Words
    place: Callable[[str], int]
    refs: Mapping[str, str]
    more: Mapping[str, Schema]
    optional: Collection[str]

    def part(self, within: str = "") -> Part:
        """The mapping at a path."""
        part = Part()
        children = _children(self.shape, within)
        for name, path in sorted(children, key=lambda child: self.place(child[1])):
            part.properties[name] = self.field(path)
            if path in self.shape and path not in self.optional and _needed(self.shape[path]):
                part.required.append(name)
        return part

    def field(self, path: str) -> Schema:
        if path in self.refs:
            return {"$ref": f"#/$defs/{self.refs[path]}", **self.words(path)}
        field = self.shape.get(path, Field((Declared("mapping"),), False))
        forms = [self._one(path, declared) for declared in _without_inherited(field.declared)]
        found = list({same(form): form for form in forms}.values())
        said = dict(self.words(path)) if not path.endswith("[]") else {}
        first = field.declared[0]
        if first.form == "duration" and "description" in said:
            said["description"] += f" From {span(first.low or 0.0, first.high or 0.0)}."
        form = found[0] if len(found) == 1 else {"anyOf": found}
        return {**said, **form, **self.more.get(path, {})}

    def _one(self, path: str, declared: Declared) -> Schema:
        if declared.form == "mapping":
            return closed(self.part(path))
        if declared.form == "list":
            schema: Schema = {"type": "array", "items": self._element(f"{path}[]")}
            if declared.least:
                schema["minItems"] = declared.least
            return {**schema, "maxItems": declared.limit}
        return scalar(declared)

    def _element(self, path: str) -> Schema:
        if path in self.refs:
            return {"$ref": f"#/$defs/{self.refs[path]}"}
        if path in self.shape:
            return self.field(path)
        if _children(self.shape, path):
            return closed(self.part(path))
        return {"type": "object"}


def closed(part: Part) -> Schema:
    """A mapping that has no other fields than those of its part."""
    conditional = any('"properties"' in same(clause) for clause in part.clauses)
    ban = "unevaluatedProperties" if conditional else "additionalProperties"
    return {"type": "object", **part.schema(), ban: False}


def _needed(field: Field) -> bool:
    return field.required or any(each.least for each in field.declared)


def _children(shape: Iterable[str], within: str) -> list[tuple[str, str]]:
    """Names and paths of the fields of the mapping at a path."""
    depth = steps(within)
    found: dict[str, str] = {}
    for path in shape:
        parts = steps(path)
        if parts[: len(depth)] == depth and len(parts) > len(depth) and parts[len(depth)] != "[]":
            name = parts[len(depth)]
            found.setdefault(name, f"{within}.{name}" if within else name)
    return list(found.items())


def _without_inherited(declared: tuple[Declared, ...]) -> list[Declared]:
    """A default that is another one elsewhere is no default: the field is as in what it is of."""
    plain = [replace(each, default=None) for each in declared]
    return [
        one if plain.count(bare) == 1 else bare for one, bare in zip(declared, plain, strict=True)
    ]


def scalar(declared: Declared) -> Schema:
    """What holds no other fields."""
    match declared.form:
        case "flag":
            return {"type": "boolean", "default": declared.default}
        case "scalars":
            value = {"type": ["string", "number", "boolean"], "maxLength": declared.length}
            schema: Schema = {"type": "object", "additionalProperties": value}
            return {**schema, "maxProperties": declared.limit}
        case "integer":
            return {"type": "integer", **_bounds(declared), **_default(declared)}
        case "number" if declared.unit:
            pattern = rf"^\s*{NUMBER}\s*{declared.unit}$"
            schema = {"type": ["number", "string"], "pattern": pattern}
            return {**schema, **_bounds(declared), **_default(declared)}
        case "number":
            return {"type": "number", **_bounds(declared), **_default(declared)}
        case "rate":
            return {"type": ["number", "string"], "pattern": RATE, **_bounds(declared)}
        case "duration":
            return _duration(declared)
    return _text(declared)


def _text(declared: Declared) -> Schema:
    schema: Schema = {"type": "string"}
    if declared.known:
        return {**schema, "enum": list(declared.known), **_default(declared)}
    if declared.low:
        schema["minLength"] = int(declared.low)
    if declared.limit is not None:
        schema["maxLength"] = declared.limit
    if declared.pattern:
        schema["pattern"] = f"^(?:{declared.pattern})$"
    if declared.example:
        schema["examples"] = [declared.example]
    return {**schema, **_default(declared)}


def _duration(declared: Declared) -> Schema:
    """Text with units. A bare 0 needs none, where it is allowed. JSON Schema has no bounds for
    such a text; the description tells them in words."""
    low = declared.low or 0.0
    schema: Schema = {"type": "string", "pattern": SIGNED_DURATION if low < 0 else DURATION}
    if low <= 0:
        schema |= {"type": ["string", "number"], "minimum": 0, "maximum": 0}
    if declared.default not in (None, REQUIRED):
        schema["default"] = format_duration(declared.default)
    return schema


def _bounds(declared: Declared) -> Schema:
    found: Schema = {}
    if declared.low is not None:
        found["minimum"] = _plain(declared.low)
    if declared.high is not None:
        found["maximum"] = _plain(declared.high)
    return found


def _plain(number: float) -> float:
    """Whole numbers without a decimal point."""
    return int(number) if float(number).is_integer() else number


def _default(declared: Declared) -> Schema:
    if declared.default in (None, REQUIRED, ""):
        return {}
    known = declared.default
    return {"default": _plain(known) if isinstance(known, float) else known}
