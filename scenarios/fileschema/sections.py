"""How a kind of file is told here: its sections, who reads each, and where its fields fork."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenarios.fileschema.forks import Fork, Schema
from scenarios.fileschema.survey import Reader


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping that is described by itself.

    ``example`` is one that its reader takes. ``inside``: the path at which ``read`` sees it.
    ``refs`` are the sections in it, by path. ``given`` is there on every route. Of the fields
    ``apart`` a file has one at most.
    """

    read: Reader
    example: Mapping[str, Any]
    forks: tuple[Fork, ...] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    inside: str = ""
    apart: tuple[str, ...] = ()
    also: tuple[Mapping[str, Any], ...] = ()
    """What else may be given where the first of these fields is, to show other fields."""
    optional: tuple[str, ...] = ()
    """Fields that are needed only as ``clauses`` say."""
    clauses: tuple[Schema, ...] = ()
    """What holds between fields, and no declaration says."""
    beside: tuple[Schema, ...] = ()
    """What may stand in place of the mapping."""
    more: Mapping[str, Schema] = field(default_factory=dict)
    """Keywords for fields by path, where other code than the section's reader checks them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file; ``name`` is its own section among ``sections``, and its words' file."""

    name: str
    title: str
    sections: Mapping[str, Section]
