"""From a snapshot to a diagnosis: pure. And the two together, on a cluster."""

from __future__ import annotations

from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor import deployment, inventory, leadership, traces, work
from beskar7.operations.doctor.diagnosis import Diagnosis
from beskar7.operations.doctor.gather import gather
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import RECENT, Counters, Snapshot
from beskar7.operations.pool import Pool


def judge(snapshot: Snapshot) -> Diagnosis:
    """All sections in the order in which an operator asks."""
    installed = Installed.of(snapshot.deployment, snapshot.config_map)
    pool = Pool.of(snapshot.hosts, snapshot.machines)
    return Diagnosis(
        at=snapshot.at,
        namespace=snapshot.namespace,
        window=snapshot.window.told,
        sections=(
            deployment.prerequisites(snapshot),
            deployment.deployment(snapshot, installed),
            leadership.leadership(snapshot, installed),
            work.configuration(snapshot, installed),
            inventory.hosts(snapshot, installed, pool),
            inventory.machines(snapshot, installed, pool),
            work.claims(snapshot, installed),
            work.queue(snapshot, installed),
            work.bmcs(snapshot),
            traces.events(snapshot),
            traces.logs(snapshot),
            traces.resources(snapshot),
        ),
    )


def diagnose(
    cluster: Cluster,
    *,
    before: Counters | None = None,
    window: float = 0.0,
    recent: float = RECENT,
) -> Diagnosis:
    """What is the matter with ``cluster`` now.

    Rates are over the time since ``before`` (see :func:`counters`), else over the next ``window``
    seconds, else (0) since the managers' start. ``recent``: seconds of Events, logs and restarts
    that are looked at. Raises an ApiError when the API server does not answer.
    """
    snapshot, _ = gather(cluster, before=before, window=window, recent=recent)
    return judge(snapshot)
