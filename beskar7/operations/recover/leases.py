"""The managers' leases: who holds them, and how they are taken away from the dead only."""

from __future__ import annotations

from beskar7.api.errors import Conflict, NotFound
from beskar7.api.kinds import LEASE
from beskar7.api.objects import Object
from beskar7.claim_term import CLAIM_LEASE
from beskar7.kube.leaserecord import LeaseRecord
from beskar7.manifests.objects import NAME
from beskar7.operations import managers, podstatus
from beskar7.operations.cluster import Cluster
from beskar7.operations.waiting import NotReached, wait_until
from beskar7.term import MANAGER_LEASE

LEASES = (MANAGER_LEASE, CLAIM_LEASE)
LONGEST_SILENCE = 60.0
"""Seconds; a lease may say an hour, but who lives renews it several times within this (the
documented retry period is 10 s at most)."""
MARGIN = 5.0
"""Seconds beyond a lease's duration that a manager may need to take it over."""


def lease_namespace(cluster: Cluster, deployment: Object) -> str:
    args = managers.arguments(deployment)
    return managers.flag(args, "leader-elect-resource-namespace") or cluster.namespace


class Leases:
    """Both, in the namespace that the managers' flags name. Methods raise ApiError."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._kube = cluster.kube
        self.namespace = namespace

    def holder(self, name: str) -> str:
        """The identity that holds it; "" for nobody."""
        lease = self._get(name)
        return LeaseRecord.of(lease).holder if lease is not None else ""

    def there(self) -> str:
        """The leases that exist, as words; "" without any."""
        names = [name for name in LEASES if self._get(name) is not None]
        return f"Lease {' and '.join(names)}" if names else ""

    def left(self) -> str:
        there = self.there()
        return f"{there} still there" if there else ""

    def foreign_holders(self, *, patient: bool) -> list[str]:
        """Who holds a lease without being a pod of ours, in words.

        A holder that died just now looks the same until its lease is over: ``patient`` waits.
        """
        return [text for name in LEASES if (text := self._foreign_holder(name, patient))]

    def _foreign_holder(self, name: str, patient: bool) -> str:
        lease = self._get(name)
        if lease is None:
            return ""
        silence = min(LeaseRecord.of(lease).duration, LONGEST_SILENCE) + MARGIN
        try:
            wait_until(
                self._cluster,
                LEASE,
                self.namespace,
                lambda _: self._foreign(name),
                silence if patient else 0.0,
            )
        except NotReached as error:
            return str(error)
        return ""

    def _foreign(self, name: str) -> str:
        lease = self._get(name)
        record = LeaseRecord.of(lease or {})
        pods = {
            podstatus.pod_name(pod) for pod in managers.pods(self._cluster) if managers.alive(pod)
        }
        if not record.holder or managers.pod_of(record.holder) in pods:
            return ""
        return (
            f"Lease {name} is held by {record.holder}, which is no pod of {NAME} "
            f"(renewed at {record.renew_time})"
        )

    def clear(self) -> None:
        """Delete each as it was read, once nobody has renewed it for its duration.

        Raises NotReached when somebody does.
        """
        for name in LEASES:
            lease = self._get(name)
            if lease is None:
                continue
            record = LeaseRecord.of(lease)
            if record.holder:
                self._await_silence(name, record)
            version = str(lease["metadata"]["resourceVersion"])
            try:
                self._kube.delete(LEASE, self.namespace, name, resource_version=version)
            except NotFound:
                pass
            except Conflict:
                raise NotReached(_renewed(name, self.holder(name))) from None

    def _await_silence(self, name: str, record: LeaseRecord) -> None:
        silence = min(record.duration, LONGEST_SILENCE)
        end = self._cluster.runtime.now() + silence

        def look(leases: list[Object]) -> str:
            for lease in leases:
                if lease["metadata"]["name"] == name and LeaseRecord.of(lease) != record:
                    raise NotReached(_renewed(name, LeaseRecord.of(lease).holder))
            return "" if self._cluster.runtime.now() >= end else f"Lease {name} is not over yet"

        wait_until(self._cluster, LEASE, self.namespace, look, silence + MARGIN)

    def _get(self, name: str) -> Object | None:
        try:
            return self._kube.get(LEASE, self.namespace, name)
        except NotFound:
            return None


def _renewed(name: str, holder: str) -> str:
    return (
        f"Lease {name} is renewed by {holder or 'somebody'} although no pod is left: end that "
        "manager first, wherever it runs"
    )
