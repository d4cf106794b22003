"""Why an object is refused, field by field, in the words and with the codes of an API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import ApiError, Forbidden, Invalid
from beskar7.api.kinds import Kind


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong. ``reason`` is a CauseType such as ``FieldValueRequired``."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


def required(field: str, hint: str = "") -> Cause:
    return Cause(field, f"Required value{f': {hint}' if hint else ''}", "FieldValueRequired")


def invalid_value(field: str, value: str, hint: str) -> Cause:
    return Cause(field, f"Invalid value: {value}: {hint}")


def forbidden_field(field: str, hint: str) -> Cause:
    return Cause(field, f"Forbidden: {hint}", "FieldValueForbidden")


def details(kind: Kind, name: str) -> dict[str, Any]:
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


def invalid(kind: Kind, name: str, causes: list[Cause]) -> ApiError:
    """422 with one cause per wrong field; ``details.kind`` is the kind, not the plural, here."""
    words = [f"{cause.field}: {cause.message}" for cause in causes]
    said = words[0] if len(words) == 1 else "[" + ", ".join(words) + "]"
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    listed = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return Invalid(
        f'{qualified} "{name}" is invalid: {said}',
        details={**details(kind, name), "kind": kind.kind, "causes": listed},
    )


def forbidden(kind: Kind, name: str, why: str) -> ApiError:
    return Forbidden(f'{kind.qualified} "{name}" is forbidden: {why}', details=details(kind, name))
