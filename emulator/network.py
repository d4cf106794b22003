"""Faults of the network between managers and what they talk to: the API server, or BMCs.

A fault of a pair of ends is data (:class:`NetworkFault`). It is acted out where the calls arrive,
as a fault of the API or of BMCs that hits these clients alone: they are known by their User-Agents,
so it means the same on either clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator import faultbase
from emulator import fields as f
from emulator.faultbase import BaseFault, Direction, read_direction, refuse_chance
from emulator.fields import FieldError
from emulator.latency import Latency

TARGET = "network"
"""The value of ``target`` by which a scenario's fault comes here."""
KINDS: Mapping[str, str] = {
    "delay": "calls and answers are longer on their way, by `latency` each, and events of "
    "watches; a call that comes after its client gave up takes effect all the same",
    "loss": "a call or its answer is lost, and the client waits for its own deadline; where it "
    "is the answer, the call took effect",
    "partition": "nothing passes: calls wait for their client's deadline, watches fall silent; "
    "what still waits at the end is cut",
}
"""What happens, by kind."""
ROLES = ("leader", "follower", "any")
API = "api"
_FIELDS = (*faultbase.FIELDS, "every", "times", "target", "from", "to", "direction", "latency")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFault(BaseFault):
    """``source``: the managers, as globs of their identities; or the role of one of them, which is
    looked up when the fault is added. ``to``: ``api``, or which BMCs in the words of ``select``.

    ``direction``: ``calls`` go from the manager, ``answers`` come back to it; with ``loss``,
    ``both`` is one of the two by an even chance.
    """

    source: str | tuple[str, ...]
    to: str | Mapping[str, Any]
    direction: Direction = "both"
    latency: Latency | None = None

    @classmethod
    def from_dict(cls, data: object, where: str = "fault", default_id: str = "") -> NetworkFault:
        """Raises :class:`FieldError` with the field and what it may hold."""
        fields = f.mapping(data, where, _FIELDS)
        kind = f.choice(fields.get("kind"), f"{where}.kind", tuple(KINDS))
        base = faultbase.read_base(fields, where, default_id, kind)
        if ("latency" in fields) != (kind == "delay"):
            raise FieldError(f"{where}.latency: what kind delay needs, and no other takes")
        source = fields.get("from", ("*",))
        to = fields.get("to")
        if to != API and not isinstance(to, Mapping):
            raise FieldError(f"{where}.to: must be {API}, or which BMCs as in select")
        found = cls(
            **base,
            **faultbase.read_repeat(fields, where, base["duration"]),
            source=f.choice(source, f"{where}.from", ROLES)
            if isinstance(source, str)
            else f.texts(source, f"{where}.from"),
            to=to,
            direction=read_direction(fields.get("direction", "both"), f"{where}.direction"),
            latency=Latency.from_dict(fields["latency"], f"{where}.latency")
            if kind == "delay"
            else None,
        )
        if kind == "partition":
            refuse_chance(where, kind, found.probability, found.count)
        if kind == "delay" and to != API and found.direction != "both":
            raise FieldError(f"{where}.direction: a delay to BMCs goes both ways; leave it out")
        return found

    def at_its_end(self, clients: Sequence[str]) -> dict[str, Any]:
        """The fault of the API (``target: api``), or of BMCs, that acts this one out.

        ``clients`` are globs of the User-Agents of the managers that ``source`` means.
        """
        common = self.base_dict() | {"every": self.every, "times": self.times}
        if self.latency is not None:
            common["latency"] = self.latency.to_dict()
        if not isinstance(self.to, Mapping):
            told = _API_KINDS[self.kind, self.direction]
            return {**common, "target": API, "select": {"clients": [*clients]}} | told
        told = _BMC_KINDS[self.kind, self.direction]
        return {**common, "select": dict(self.to), "match": {"clients": [*clients]}} | told


def _both_ways(kind: str) -> dict[tuple[str, Direction], dict[str, Any]]:
    return {(kind, way): {"kind": kind, "direction": way} for way in faultbase.DIRECTIONS}


_API_KINDS: Mapping[tuple[str, Direction], dict[str, Any]] = {
    **_both_ways("delay"),
    **_both_ways("loss"),
    ("partition", "both"): {"kind": "partition"},
    ("partition", "answers"): {"kind": "partition", "perform": True},
    # The answers to what was asked before still come, and so do the events of watches.
    ("partition", "calls"): {"kind": "hang"},
}
_BMC_KINDS: Mapping[tuple[str, Direction], dict[str, Any]] = {
    ("delay", "both"): {"kind": "latency"},
    **_both_ways("loss"),
    ("partition", "both"): {"kind": "unreachable"},
    ("partition", "answers"): {"kind": "hang", "perform": True},
    ("partition", "calls"): {"kind": "unreachable"},
}
