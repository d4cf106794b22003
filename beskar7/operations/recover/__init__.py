"""The guide's emergency procedures: plan, agree, do, prove; carried on or undone when broken off.

    split_brain(cluster)            several managers act at once
    queue(cluster, ops=5)           the provisioning queue is stuck
    hosts(cluster, ["host-0042"])   hosts are in Error, or were left by their owner

Each returns a :class:`Report` and raises :class:`RecoveryRefused` where it cannot be begun, and an
ApiError when the cluster cannot even be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from beskar7.operations.cluster import Cluster
from beskar7.operations.recover.hosts import SETTLE_TIMEOUT, HostRecovery
from beskar7.operations.recover.journal import RecoveryRefused
from beskar7.operations.recover.procedure import Manner, carry_out
from beskar7.operations.recover.queue import QueueReset
from beskar7.operations.recover.report import Outcome, Report, StepReport
from beskar7.operations.recover.split_brain import SplitBrain

__all__ = [
    "Manner",
    "Outcome",
    "RecoveryRefused",
    "Report",
    "StepReport",
    "hosts",
    "queue",
    "split_brain",
]

PLAINLY = Manner()


def split_brain(cluster: Cluster, manner: Manner = PLAINLY) -> Report:
    """Stop all managers, clear their leases, start one, and then as many as there were."""
    return carry_out(cluster, SplitBrain(cluster), manner)


def queue(
    cluster: Cluster, manner: Manner = PLAINLY, *, ops: int | None = None, restart: bool = False
) -> Report:
    """Drain the queue and let it go on; ``ops`` is what may run at once then, None: as before."""
    return carry_out(cluster, QueueReset(cluster, ops=ops, restart=restart), manner)


def hosts(
    cluster: Cluster,
    names: Sequence[str] = (),
    manner: Manner = PLAINLY,
    *,
    timeout: float = SETTLE_TIMEOUT,
) -> Report:
    """Have hosts tried at once; without names all that are in Error or were left by their owner.

    ``timeout``: seconds until they have to be of use.
    """
    return carry_out(cluster, HostRecovery(cluster, names, timeout=timeout), manner)
