"""The documented sizing rules as functions (facts section 12); what they are worth is measured
elsewhere (docs/guide-on-trial.md)."""

from __future__ import annotations

import math

HOSTS_SPARE = 1.2
"""Hosts for each machine at the peak, besides those that have failed."""
HIGH_USE, VERY_HIGH_USE = 0.8, 0.9
"""Shares of a pool in use above which it is to grow."""
GROWTH, FAST_GROWTH = 0.1, 0.2
"""By how much it is to grow then."""
QUEUE_SPARE = 1.5
"""Places in the queue for each provisioning of the hour that has most."""
QUEUE_PER_OPERATION = 5
WORKERS_PER_OPERATION = 1.5
HOSTS_PER_RECONCILE = 10
"""One reconcile at a time for every 5 to 10 hosts; the fewest that the rule allows."""
BATCH = 5
"""Hosts that are to be added at a time, as each is enrolled on its own."""
MEGABYTE = 1_000_000


def memory(hosts: int, reconciles: int) -> int:
    """Bytes for a manager."""
    return (hosts * 2 + reconciles * 10 + 128) * MEGABYTE


def cores(reconciles: int, claims_per_second: float) -> float:
    """Of a processor, for a manager."""
    return reconciles * 0.020 + claims_per_second * 0.005 + 0.100


def queue_places(per_hour: float, operations: int) -> int:
    """Of the two rules the one that asks for more."""
    return max(math.ceil(per_hour * QUEUE_SPARE), QUEUE_PER_OPERATION * operations)


def workers(operations: int) -> int:
    """For so many operations at once."""
    return math.ceil(operations * WORKERS_PER_OPERATION)


def reconciles(hosts: int) -> int:
    """At once, for each kind."""
    return max(1, math.ceil(hosts / HOSTS_PER_RECONCILE))


def replicas(hosts: int) -> int:
    """By the documented tiers: 20, 100, more."""
    if hosts <= 20:
        return 1
    return 3 if hosts <= 100 else 5


def hosts(machines: int, failed: int) -> int:
    """That a pool needs for so many machines at once."""
    return math.ceil(machines * HOSTS_SPARE) + failed


def growth(total: int, use: float) -> int:
    """Hosts to add to a pool of which this share is in use; 0 below :data:`HIGH_USE`."""
    if use <= HIGH_USE:
        return 0
    return math.ceil(total * (FAST_GROWTH if use > VERY_HIGH_USE else GROWTH))
