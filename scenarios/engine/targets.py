"""Who is who: the runner's name, and which manager an act means."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.engine.schema import Target
from scenarios.engine.world import WorldError

CLIENT = "beskar7-scenario"
"""The runner's own name towards the API."""


def choose(target: Target, managers: Sequence[tuple[str, bool]], leader: str) -> str:
    """The identity of a living manager. Raises WorldError when none fits."""
    living = [identity for identity, alive in managers if alive]
    fitting = {
        "leader": [identity for identity in living if identity == leader],
        "follower": [identity for identity in living if identity != leader],
        "any": living,
        "leader-first": sorted(living, key=lambda identity: identity != leader),
    }[target]
    if not fitting:
        raise WorldError(
            f"no living manager is a {target}; "
            f"living: {', '.join(living) or 'none'}, leader: {leader or 'none'}"
        )
    return fitting[0]
