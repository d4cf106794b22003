"""The managers of an installation as an operator handles them: a Deployment and its pods."""

from __future__ import annotations

from collections.abc import Iterable

from beskar7.api.errors import NotFound
from beskar7.api.kinds import DEPLOYMENT, POD
from beskar7.api.objects import Object
from beskar7.flags import BOOLEAN
from beskar7.manifests.objects import LABELS, NAME
from beskar7.operations import podstatus
from beskar7.operations.cluster import Cluster
from beskar7.operations.podstatus import SELECTOR
from beskar7.operations.series import Managers, Series

LEADS = "beskar7_leader"
ELECT = "leader-elect"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""The annotation of the pod template by which ``kubectl rollout restart`` makes another one."""


def deployment(cluster: Cluster) -> Object | None:
    """None when there is none. Raises ApiError."""
    try:
        return cluster.kube.get(DEPLOYMENT, cluster.namespace, NAME)
    except NotFound:
        return None


def replicas(found: Object) -> int:
    """The desired replicas; 1 where none are given."""
    wanted = (found.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def scale(cluster: Cluster, wanted: int) -> None:
    cluster.kube.patch(DEPLOYMENT, cluster.namespace, NAME, {"spec": {"replicas": wanted}})


def rolled_out(found: Object) -> str:
    """As ``kubectl rollout status`` waits: "" once every replica is new and available."""
    wanted, status = replicas(found), found.get("status") or {}
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return "the Deployment's change has not been taken up yet"
    if status.get("updatedReplicas", 0) < wanted:
        return f"{status.get('updatedReplicas', 0)} of {wanted} managers are of the new form"
    if status.get("replicas", 0) > wanted:
        return f"{status.get('replicas', 0) - wanted} former managers have not ended yet"
    if status.get("availableReplicas", 0) < wanted:
        return f"{status.get('availableReplicas', 0)} of {wanted} managers are available"
    return ""


def rolled_out_among(found: Iterable[Object]) -> str:
    """As :func:`rolled_out`, of the managers' Deployment among others."""
    for each in found:
        if each["metadata"]["name"] == NAME:
            return rolled_out(each)
    return f"Deployment {NAME} is gone"


def pods(cluster: Cluster) -> list[Object]:
    """All pods of managers, of this Deployment or not, in the order of names. Raises ApiError."""
    found = cluster.kube.list(POD, cluster.namespace, label_selector=SELECTOR).items
    return sorted(found, key=podstatus.pod_name)


def managers_among(objects: Iterable[Object]) -> list[Object]:
    """Those of some pods that are managers."""
    return [
        each for each in objects if LABELS.items() <= (each["metadata"].get("labels") or {}).items()
    ]


def alive(pod: Object) -> bool:
    """Whether a process of it may run, now or soon."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def arguments(found: Object) -> list[str]:
    """Of the manager's container in a Deployment; empty when it has none of that name."""
    template = (found.get("spec") or {}).get("template") or {}
    return arguments_of(podstatus.container(template))


def arguments_of(container: Object) -> list[str]:
    return [str(each) for each in container.get("args") or ()]


def elects(container: Object) -> bool:
    """Whether a manager with these arguments leads only when it is elected."""
    given = flag(arguments_of(container), ELECT)
    return given is None or BOOLEAN.get(given.lower(), True)


def flag(args: list[str], name: str) -> str | None:
    """The value of ``--name=VALUE``, ``--name VALUE`` or a bare ``--name`` ("true"); the last
    counts. None when it is not there."""
    value = None
    for position, arg in enumerate(args):
        given, equals, text = arg.partition("=")
        if given not in (f"--{name}", f"-{name}"):
            continue
        following = args[position + 1] if position + 1 < len(args) else "-"
        value = text if equals else "true" if following.startswith("-") else following
    return value


def without_flag(args: list[str], name: str) -> list[str]:
    """The arguments without every form of this flag that :func:`flag` knows."""
    kept: list[str] = []
    skipping = False
    for arg in args:
        if skipping and not arg.startswith("-"):
            skipping = False
            continue
        given = arg.partition("=")[0]
        skipping = False
        if given in (f"--{name}", f"-{name}"):
            skipping = "=" not in arg
            continue
        kept.append(arg)
    return kept


def pod_of(identity: str) -> str:
    """The pod whose manager has this identity: a restarted container's is ``POD_1``."""
    return identity.partition("_")[0]


def told(cluster: Cluster, *names: str) -> Managers:
    """What the managers' metrics of these names (or beginnings of names) say, by pod."""
    # The parser is slow, and a manager of 10,000 BMCs has thousands of lines about other things.
    return Managers(
        {
            pod: Series.of("\n".join(line for line in text.splitlines() if line.startswith(names)))
            for pod, text in cluster.metrics().items()
        }
    )


def saying(found: Managers, name: str) -> list[str]:
    """The pods at which the sum of this is more than 0."""
    return [pod for pod, series in found.each.items() if sum(v for _, v in series.find(name)) > 0]


def leaders(cluster: Cluster) -> list[str]:
    """The pods whose managers say that they lead."""
    return saying(told(cluster, LEADS), LEADS)
