"""The words in which an API server refuses; clients and people match on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Timeout,
)
from beskar7.api.kinds import Kind

STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


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


def not_found(kind: Kind, name: str) -> ApiError:
    return NotFound(f'{kind.qualified} "{name}" not found', details=details(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    return AlreadyExists(f'{kind.qualified} "{name}" already exists', details=details(kind, name))


def conflict(kind: Kind, name: str, why: str = STALE) -> ApiError:
    return Conflict(
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}',
        details=details(kind, name),
    )


def forbidden(kind: Kind, name: str, why: str) -> ApiError:
    return Forbidden(f'{kind.qualified} "{name}" is forbidden: {why}', details=details(kind, name))


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


def too_old(asked: int, oldest: int) -> ApiError:
    return Expired(f"too old resource version: {asked} ({oldest})")


def too_new(asked: int, newest: int) -> ApiError:
    return Timeout(
        f"Too large resource version: {asked}, current: {newest}",
        details={
            "retryAfterSeconds": 1,
            "causes": [
                {
                    "reason": "ResourceVersionTooLarge",
                    "message": "Too large resource version",
                }
            ],
        },
    )
