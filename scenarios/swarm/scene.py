"""What faults and acts have to know of a document to hit something in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from beskar7.api.durations import parse_duration
from scenarios.engine.expand import apportion


@dataclass(frozen=True, slots=True)
class Scene:
    """``window``: seconds after the load's start in which things go wrong; then there is quiet.

    ``racks`` and ``vendors`` are those that have a host. ``machines`` are the load's, without
    what acts create. ``lease``: seconds for which the managers' lease is held, and ``retry`` those
    after which it is renewed or tried for.
    """

    hosts: int
    racks: int
    vendors: tuple[str, ...]
    managers: int
    machines: int
    window: float
    elects: bool = True
    lease: float = 15.0
    retry: float = 2.0

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, as ``scenarios.engine.expand.plan_hosts`` gives them."""
        width = max(3, len(str(self.hosts)))
        return tuple(f"host-{number:0{width}d}" for number in range(1, self.hosts + 1))

    def client(self, number: int) -> str:
        """The User-Agent of a manager, from 1."""
        return f"beskar7-manager/manager-{number}"


def scene_of(document: Mapping[str, Any], window: float) -> Scene:
    """The scene of a document that loads without a problem."""
    world = document["world"]
    hosts, managers = world["hosts"], world.get("managers") or {}
    args = managers.get("args") or {}
    shares = apportion(hosts["count"], hosts.get("vendors") or {"generic": 1})
    return Scene(
        hosts=hosts["count"],
        racks=min(hosts.get("racks") or 1, hosts["count"]),
        vendors=tuple(name for name, share in shares.items() if share),
        managers=managers.get("replicas", 1),
        machines=document["load"]["machines"],
        window=window,
        elects=str(args.get("leader-elect", "true")).lower() not in ("false", "0"),
        lease=parse_duration(args.get("leader-elect-lease-duration", "15s")),
        retry=parse_duration(args.get("leader-elect-retry-period", "2s")),
    )
