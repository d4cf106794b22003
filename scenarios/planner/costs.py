"""What a configuration costs, in the open: a weight for each axis, times how much of it is used."""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTS: Mapping[str, float] = {
    "hosts": 10.0,
    "replicas": 5.0,
    "ops": 1.0,
    "looks": 0.5,
    "workers": 0.2,
    "reconciles": 0.1,
    "mode": 0.1,
    "algorithm": 0.05,
    "cooldown": 0.05,
    "queue": 0.001,
}
"""Per unit, which :mod:`scenarios.planner.axes` names: a host, a manager, a writing operation at
once, a look at each booting host a second, a worker, a reconciler, one more election, another way
of choosing than the usual one, a BMC that gets no more rest than its vendor asks for, a place in
the queue. The order is a judgement: a host costs more than all software, what strains BMCs more
than what strains the manager. Change it by ``--cost``."""
MOST = 1e6


class CostError(Exception):
    """A weight cannot be read; ``args[0]`` says what would be right."""


def weights(given: list[str]) -> dict[str, float]:
    """The weights with those of ``AXIS=WEIGHT`` in their place. Raises CostError."""
    found = dict(WEIGHTS)
    for text in given:
        name, separator, value = text.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not separator or name not in found or not 0.0 <= weight <= MOST:
            raise CostError(
                f"--cost {text}: write AXIS=WEIGHT, a number from 0 to {MOST:g}, as in hosts=10; "
                f"axes: {', '.join(found)}"
            )
        found[name] = weight
    return found
