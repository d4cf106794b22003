"""Reads what doctor judges, through a :class:`beskar7.operations.cluster.Cluster`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from beskar7.api.errors import (
    Forbidden,
    InternalError,
    NotFound,
    TooManyRequests,
)
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    HOST_CLAIM,
    LEASE,
    MUTATING_WEBHOOKS,
    PHYSICAL_HOST,
    POD,
    VALIDATING_WEBHOOKS,
    Kind,
)
from beskar7.api.objects import Object
from beskar7.claim_term import CLAIM_LEASE
from beskar7.config import CONFIG_MAP_NAME
from beskar7.kube.port import Kube
from beskar7.manifests.objects import NAME
from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor.snapshot import RECENT, Counters, Snapshot, Window
from beskar7.operations.podstatus import SELECTOR, life, pod_name
from beskar7.operations.series import Managers, Series
from beskar7.term import MANAGER_LEASE

T = TypeVar("T")

LEASES = (MANAGER_LEASE, CLAIM_LEASE)
REFUSALS = (Forbidden, InternalError, TooManyRequests)
"""What leaves one reading out; when the API server does not answer, there is nothing to judge."""
OTHER_KINDS = (BESKAR7_CLUSTER, BESKAR7_MACHINE_TEMPLATE, HOST_CLAIM)
"""Looked for only."""


class _Reader:
    """Notes what cannot be read, and goes on."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self.unread: dict[str, str] = {}
        self.missing: list[str] = []

    def read(self, what: str, call: Callable[[], T]) -> T | None:
        """None for what is not there, or refused, which is noted."""
        try:
            return call()
        except NotFound:
            return None
        except REFUSALS as error:
            self.unread[what] = error.message
            return None

    def get(self, what: str, kind: Kind, namespace: str, name: str) -> Object | None:
        return self.read(what, lambda: self._kube.get(kind, namespace, name))

    def listed(
        self, what: str, kind: Kind, namespace: str | None = None, **selectors: str
    ) -> list[Object]:
        found = self.read(what, lambda: self._kube.list(kind, namespace, **selectors).items)
        return found or []

    def all(self, kind: Kind) -> list[Object]:
        """Of all namespaces; a kind that the server does not know is noted."""
        try:
            return self._kube.list(kind).items
        except NotFound:
            self.missing.append(kind.qualified)
        except REFUSALS as error:
            self.unread[kind.qualified] = error.message
        return []


def counters(cluster: Cluster, pods: Sequence[Object] | None = None) -> Counters:
    """What all managers have counted until now, by their lives. Raises an ApiError."""
    if pods is None:
        pods = cluster.kube.list(POD, cluster.namespace, label_selector=SELECTOR).items
    lives = {pod_name(pod): life(pod) for pod in pods}
    found = parsed(cluster.metrics())
    at = cluster.runtime.wall()
    return Counters(at, Managers({lives.get(pod, pod): each for pod, each in found.items()}))


def parsed(texts: Mapping[str, str]) -> dict[str, Series]:
    """Each manager's series; who serves no metrics is left out."""
    found = {}
    for pod, text in texts.items():
        try:
            found[pod] = Series.of(text)
        except ValueError:
            continue
    return found


def gather(
    cluster: Cluster,
    *,
    before: Counters | None = None,
    window: float = 0.0,
    recent: float = RECENT,
) -> tuple[Snapshot, Counters]:
    """The installation now, and what its managers have counted until now.

    Rates are over the time since ``before``, else over the next ``window`` seconds, else (0) since
    the managers' start. Raises an ApiError when the API server does not answer.
    """
    namespace = cluster.namespace
    reader = _Reader(cluster.kube)
    if before is None and window > 0:
        before = reader.read("metrics", lambda: counters(cluster))
        cluster.runtime.sleep(window)
    pods = sorted(reader.listed("pods", POD, namespace, label_selector=SELECTOR), key=pod_name)
    now = reader.read("metrics", lambda: counters(cluster, pods))
    now = now or Counters(cluster.runtime.wall(), Managers())
    passed = Window(now.managers)
    if before is not None:
        passed = Window(now.managers.since(before.managers), max(0.0, now.at - before.at))
    pod_of = {life(pod): pod_name(pod) for pod in pods}
    for kind in OTHER_KINDS:
        reader.all(kind)
    leases = {name: reader.get("leases", LEASE, namespace, name) for name in LEASES}
    webhooks = [
        each
        for kind in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
        for each in reader.listed("webhooks", kind)
    ]
    snapshot = Snapshot(
        at=cluster.runtime.wall(),
        namespace=namespace,
        recent=recent,
        deployment=reader.get("deployment", DEPLOYMENT, namespace, NAME),
        pods=pods,
        leases={name: lease for name, lease in leases.items() if lease is not None},
        config_map=reader.get("configuration", CONFIG_MAP, namespace, CONFIG_MAP_NAME),
        webhooks=[each for each in webhooks if _leads_to(each, namespace)],
        hosts=reader.all(PHYSICAL_HOST),
        machines=reader.all(BESKAR7_MACHINE),
        warnings=reader.listed("events", EVENT, field_selector="type=Warning"),
        elections=reader.listed("events", EVENT, namespace, field_selector="reason=LeaderElected"),
        managers=Managers(
            {pod_of.get(each, each): series for each, series in now.managers.each.items()}
        ),
        window=passed,
        logs=reader.read("logs", lambda: cluster.logs(recent)) or {},
        usage=cluster.usage(),
        unread=reader.unread,
        missing_kinds=reader.missing,
    )
    return snapshot, now


def _leads_to(configuration: Object, namespace: str) -> bool:
    """Whether one of its webhooks is a Service of the namespace."""
    for webhook in configuration.get("webhooks") or ():
        service = (webhook.get("clientConfig") or {}).get("service") or {}
        if service.get("namespace") == namespace:
            return True
    return False
