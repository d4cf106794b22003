"""Who is who: the runner's name, and which managers an act or a fault means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from beskar7.redfish.sushy_bmc import agent
from emulator.network import TARGET, NetworkFault
from scenarios.engine.world import WorldError

CLIENT = "beskar7-scenario"
"""The runner's own name towards the API."""


def choose(target: str, managers: Sequence[tuple[str, bool]], leader: str) -> str:
    """The identity of a living manager, by role or its own. Raises WorldError when none fits."""
    living = [identity for identity, alive in managers if alive]
    if target in living:
        return target
    fitting = {
        "leader": [identity for identity in living if identity == leader],
        "follower": [identity for identity in living if identity != leader],
        "any": living,
        "leader-first": sorted(living, key=lambda identity: identity != leader),
    }.get(target)
    if not fitting:
        raise WorldError(
            f"no living manager is a {target}; "
            f"living: {', '.join(living) or 'none'}, leader: {leader or 'none'}"
        )
    return fitting[0]


def placed(
    fault: Mapping[str, Any], managers: Sequence[tuple[str, bool]], leader: Callable[[], str]
) -> Mapping[str, Any]:
    """A fault of the network as the end of it takes it that acts it out; any other as it is.

    A role is that of this moment. Raises WorldError when no living manager has it.
    """
    if fault.get("target") != TARGET:
        return fault
    read = NetworkFault.from_dict(dict(fault))
    source = read.source
    if isinstance(source, str):
        source = (choose(source, managers, leader()),)
    return read.at_its_end([agent(glob) for glob in source])
