"""One text for all that means the same: data as JSON with sorted keys, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

import orjson


def digest(value: object) -> str:
    """SHA-256 in hexadecimal digits of :func:`canonical`. Raises TypeError as that does."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: object) -> bytes:
    """JSON of dataclasses, mappings, lists, tuples and scalars.

    What is as it is by default in a dataclass is left out: a field that it gets one day changes
    nothing. Raises TypeError for a value of any other type.
    """
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        own = {f.name: getattr(value, f.name) for f in fields(value) if not _by_default(value, f)}
        return {"": type(value).__name__, **{name: _plain(each) for name, each in own.items()}}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _by_default(owner: object, one: Field[Any]) -> bool:
    usual = one.default if one.default_factory is MISSING else one.default_factory()
    return bool(getattr(owner, one.name) == usual)
