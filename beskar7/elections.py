"""Contention for a lease in the name of a manager."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.config import LeaseSettings
from beskar7.kube.leases import LeaderElector
from beskar7.kube.port import Kube
from beskar7.kube.recorder import Recorder
from beskar7.metrics import Metrics
from beskar7.runtime import Runtime
from beskar7.settings import ManagerSettings


def elector(
    runtime: Runtime,
    kube: Kube,
    settings: ManagerSettings,
    name: str,
    lease: LeaseSettings,
    recorder: Recorder,
    metrics: Metrics,
    begin: Callable[[], None],
    end: Callable[[], None],
) -> LeaderElector:
    """For the lease ``name``; ``begin`` and ``end`` surround each time that it is held.

    Raises ValueError when the times of ``lease`` do not fit together.
    """

    def show(_leader: str) -> None:
        metrics.lease_transitions.labels(name).set_function(found.seen_transitions)

    found = LeaderElector(
        runtime,
        kube,
        settings.lease_namespace,
        name,
        settings.identity,
        lease_duration=lease.lease_duration,
        renew_deadline=lease.renew_deadline,
        retry_period=lease.retry_period,
        release_on_cancel=settings.release_on_cancel,
        on_started_leading=begin,
        on_stopped_leading=end,
        # Not before there is something to show: a 0 between two numbers looks like a new count.
        on_new_leader=show,
        recorder=recorder,
    )
    return found
