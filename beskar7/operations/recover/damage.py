"""What several managers at once may have done to hosts, and what nobody can do without one."""

from __future__ import annotations

from collections import defaultdict

from beskar7.api.errors import ApiError
from beskar7.api.kinds import PHYSICAL_HOST, Kind
from beskar7.api.meta import View
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.manifests.webhooks import SERVICE
from beskar7.operations import managers, podstatus
from beskar7.operations.cluster import Cluster

WEBHOOKS = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
MAX_SUSPECTS = 100


def doubly_owned(cluster: Cluster) -> list[str]:
    """The machines that own several hosts, in words. Raises ApiError."""
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    for raw in cluster.kube.list(PHYSICAL_HOST).items:
        host = PhysicalHost(raw)
        if host.consumer_uid:
            hosts[host.consumer_uid].append(str(host.key))
    return [
        f"one machine owns {len(owned)} hosts: {', '.join(sorted(owned))}"
        for _, owned in sorted(hosts.items())
        if len(owned) > 1
    ]


def suspects(cluster: Cluster) -> list[str]:
    """The owned hosts that have been worked on since a second manager began to lead, at most
    :data:`MAX_SUSPECTS`. Raises ApiError.

    One may have emptied the drive that another had filled, and no BMC tells of that later. Managers
    that do not elect lead from their start on, the first beside the one that it replaced.
    """
    pods = managers.pods(cluster)
    alone = [pod for pod in pods if not managers.elects(podstatus.container(pod))]
    leading = managers.leaders(cluster)
    others = [pod for pod in pods if podstatus.pod_name(pod) in leading]
    started = sorted(View(pod).created for pod in others)[1:]
    started += sorted(View(pod).created for pod in alone)
    if not started:
        return []
    since = min(started)
    hosts = map(PhysicalHost, cluster.kube.list(PHYSICAL_HOST).items)
    found = (
        str(host.key)
        for host in hosts
        if host.consumer is not None
        and (host.state is not HostState.PROVISIONED or (host.state_since or 0.0) >= since)
    )
    return sorted(found)[:MAX_SUSPECTS]


def guarded_by_managers(cluster: Cluster) -> bool:
    """Whether the managers' webhooks refuse what they cannot judge; False if nobody says."""
    try:
        found = cluster.kube.list(WEBHOOKS).items
    except ApiError:
        return False
    return any(
        hook.get("failurePolicy") == "Fail"
        and ((hook.get("clientConfig") or {}).get("service") or {}).get("name") == SERVICE
        for each in found
        for hook in each.get("webhooks") or ()
    )
