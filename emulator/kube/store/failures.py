"""The words in which an API server refuses; clients and people match on them."""

from __future__ import annotations

from beskar7.api.causes import (
    Cause,
    details,
    forbidden,
    forbidden_field,
    invalid,
    invalid_value,
    required,
)
from beskar7.api.errors import AlreadyExists, ApiError, Conflict, Expired, NotFound, Timeout
from beskar7.api.kinds import Kind

__all__ = [
    "STALE",
    "Cause",
    "already_exists",
    "conflict",
    "details",
    "forbidden",
    "forbidden_field",
    "invalid",
    "invalid_value",
    "not_found",
    "required",
    "too_new",
    "too_old",
]

STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def not_found(kind: Kind, name: str) -> ApiError:
    return NotFound(f'{kind.qualified} "{name}" not found', details=details(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    return AlreadyExists(f'{kind.qualified} "{name}" already exists', details=details(kind, name))


def conflict(kind: Kind, name: str, why: str = STALE) -> ApiError:
    return Conflict(
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}',
        details=details(kind, name),
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
