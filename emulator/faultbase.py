"""What every fault says, whatever it hits: what happens, when, how often, by what chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from emulator import fields as f
from emulator.fields import FieldError
from emulator.latency import MAX_SECONDS, Latency

MAX_FAULTS = 1000
"""In force at one time, in one set."""

FIELDS = (
    *("id", "kind", "start", "duration", "probability", "count"),
    *("latency", "status", "retry_after", "perform"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFault:
    """Times are seconds; see :func:`read_base` for the bounds.

    ``perform``: the request still takes effect, and only its answer is lost.
    """

    id: str
    kind: str
    start: float = 0.0
    duration: float | None = None
    probability: float = 1.0
    count: int | None = None
    latency: Latency | None = None
    status: int = 503
    retry_after: float | None = None
    perform: bool = False

    def base_dict(self) -> dict[str, Any]:
        """What :func:`read_base` reads back."""
        data: dict[str, Any] = {"id": self.id, "kind": self.kind}
        data |= {"start": self.start, "duration": self.duration}
        data |= {"probability": self.probability, "count": self.count}
        if self.latency is not None:
            data["latency"] = self.latency.to_dict()
        if self.kind == "error":
            data |= {"status": self.status, "retry_after": self.retry_after}
        return data


def read_base(
    fields: Mapping[str, Any],
    where: str,
    default_id: str,
    kinds: Sequence[str],
    only_for: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """The fields of :class:`BaseFault`, checked.

    ``only_for`` says which fields belong to which kinds of fault alone. Raises
    :class:`FieldError` with the field and what it may hold.
    """
    kind = f.choice(fields.get("kind"), f"{where}.kind", kinds)
    for name, owners in only_for.items():
        if name in fields and kind not in owners:
            raise FieldError(f"{where}.{name}: only for kind {' or '.join(owners)}, not {kind}")
    if kind == "latency" and "latency" not in fields:
        raise FieldError(f"{where}.latency: missing; kind latency needs {{mean: seconds}}")
    duration, count = fields.get("duration"), fields.get("count")
    retry_after = fields.get("retry_after")
    return {
        "id": f.text(fields.get("id", default_id), f"{where}.id"),
        "kind": kind,
        "start": f.number(fields.get("start", 0.0), f"{where}.start", 0.0, 1e9),
        "duration": None if duration is None else f.number(duration, f"{where}.duration", 0.0, 1e9),
        "probability": f.number(fields.get("probability", 1.0), f"{where}.probability", 0.0, 1.0),
        "count": None if count is None else f.whole(count, f"{where}.count", 1, 10**9),
        "latency": Latency.from_dict(fields["latency"], f"{where}.latency")
        if kind == "latency"
        else None,
        "status": f.whole(fields.get("status", 503), f"{where}.status", 400, 599),
        "retry_after": None
        if retry_after is None
        else f.number(retry_after, f"{where}.retry_after", 0.0, MAX_SECONDS),
        "perform": f.flag(fields.get("perform", False), f"{where}.perform"),
    }


F = TypeVar("F", bound=BaseFault)


@dataclass(slots=True)
class Active(Generic[F]):
    """A fault in a set: when its time began, whom it hits, how often it did."""

    fault: F
    origin: float
    chosen: frozenset[str] = frozenset()
    hits: int = 0

    @property
    def begins(self) -> float:
        return self.origin + self.fault.start

    @property
    def ends(self) -> float | None:
        return None if self.fault.duration is None else self.begins + self.fault.duration

    def in_force(self, now: float) -> bool:
        ends = self.ends
        spent = self.fault.count is not None and self.hits >= self.fault.count
        return self.begins <= now and (ends is None or now < ends) and not spent


def entries(data: object) -> tuple[list[tuple[str, object]], float | None]:
    """A control request's faults, each with its name in errors, and their common origin.

    ``data`` is one fault, or ``{"faults": [...], "origin": <runtime.now() seconds>}``.
    Raises :class:`FieldError`.
    """
    if not isinstance(data, dict) or "faults" not in data:
        return [("fault", data)], None
    listed = data["faults"]
    if not isinstance(listed, list):
        raise FieldError("faults: must be a list")
    origin = data.get("origin")
    if origin is not None:
        origin = f.number(origin, "origin", 0.0, 1e15)
    return [(f"faults[{index}]", entry) for index, entry in enumerate(listed)], origin
