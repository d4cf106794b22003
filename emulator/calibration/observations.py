"""What was recorded: seconds by kind of request, as values or as counts between bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from emulator.bmc.personality import OPERATIONS
from emulator.bmc.redfish import Request
from emulator.fields import FieldError

MAX_VALUES = 5_000_000
"""Of one kind of request."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ACTIONS = {"ComputerSystem.Reset": "reset", "InsertMedia": "media", "EjectMedia": "media"}


@dataclass(slots=True)
class Sample:
    """Observations of one kind of request, in seconds.

    Either ``values``, as they were measured, or ``bins``: how many lay above the first bound and
    not above the second, which may be infinite. Both of one kind cannot be had.
    """

    values: list[float] = field(default_factory=list)
    bins: dict[tuple[float, float], float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return round(len(self.values) + sum(self.bins.values()))

    def from_file(self, name: str) -> None:
        if name not in self.files:
            self.files.append(name)

    def check(self, kind: str) -> None:
        """Raises :class:`FieldError` where its parts do not go together."""
        files = ", ".join(self.files)
        if self.values and self.bins:
            raise FieldError(
                f"{files}: {kind}: must be all measured values or all buckets; fit them apart"
            )
        if self.count > MAX_VALUES:
            raise FieldError(f"{files}: {kind}: must be at most {MAX_VALUES} observations")
        ordered = sorted(self.bins)
        for (_, end), (start, _) in pairwise(ordered):
            if start < end - 1e-12:
                raise FieldError(
                    f"{files}: {kind}: must have the same buckets everywhere, "
                    f"but one ends at {end:g} s and another begins at {start:g} s"
                )


Observations = dict[str, Sample]


def kind_of(operation: str) -> str:
    """The kind of request that a log's words mean.

    A kind itself (``media``), a method with a path (``GET /redfish/v1/Systems/1``), or a method
    with a resource's name, as this project's metrics have it (``POST InsertMedia``).
    Raises :class:`FieldError` without a place for any other.
    """
    words = operation.split()
    if len(words) == 1 and words[0].lower() in OPERATIONS:
        return words[0].lower()
    if len(words) == 2 and words[0].upper() in _METHODS:
        method, subject = words[0].upper(), words[1]
        if subject.startswith("/"):
            return _kind_of_path(method, subject)
        if method in ("GET", "HEAD"):
            return "system" if subject == "Systems" else "get"
        if method == "PATCH" and subject == "Systems":
            return "boot"
        return _ACTIONS.get(subject, "session" if subject == "Sessions" else "patch")
    raise FieldError(
        f"operation: must be one of {', '.join(OPERATIONS)}, or a method and a path "
        f"(GET /redfish/v1/Systems/1), not {operation[:60]!r}"
    )


def _kind_of_path(method: str, path: str) -> str:
    kind = Request(method, path.partition("?")[0], {}).meaning.operation
    system = kind == "patch" and method == "PATCH" and path.strip("/").count("/") == 3
    return "boot" if system and "/Systems/" in path else kind


def seconds(text: object) -> float:
    """A duration from a log. Raises :class:`FieldError` without a place for what is none."""
    try:
        value = float(text)  # type: ignore[arg-type]  # what float does not take is refused below
    except (TypeError, ValueError):
        value = math.nan
    if not 0.0 <= value <= 3600.0:
        raise FieldError(f"seconds: must be a number from 0 to 3600, not {str(text)[:60]!r}")
    return value
