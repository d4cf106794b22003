"""Storms of machines on a mixed fleet, with the settings that a claim of the guide is about."""

from __future__ import annotations

from guidetrial.model import Run

ROOM = 500
"""Places in a queue that turns nobody away."""
REAL = ("world.hosts.scale.boot=1", "world.config.bmc.bootPollInterval=10s")
"""Boots as long as the personalities say: 100 to 240 s, by vendor."""


def fleet(
    name: str,
    *,
    hosts: int = 40,
    extra: tuple[str, ...] = (),
    seeds: int = 3,
    **provisioning: int | str,
) -> Run:
    """A storm on the mixed fleet, with these keys of ``provisioning``."""
    return Run(
        name,
        "fleet",
        (
            f"world.hosts.count={hosts}",
            f"load.machines={hosts}",
            *(f"world.config.provisioning.{key}={value}" for key, value in provisioning.items()),
            *extra,
        ),
        seeds,
    )
