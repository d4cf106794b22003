"""Several managers act at once: stop all, clear their leases, start one, then the others.

The guide's procedure, with what it lacks: waits for what it waits for, the leases by their right
names and only if nobody renews them, the former number of replicas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beskar7.api.kinds import DEPLOYMENT, LEASE, PHYSICAL_HOST, POD
from beskar7.api.objects import Object
from beskar7.claim_term import CLAIM_LEASE
from beskar7.manifests.objects import GRACE, NAME
from beskar7.operations import managers, podstatus
from beskar7.operations.cluster import Cluster
from beskar7.operations.recover.damage import doubly_owned, guarded_by_managers, suspects
from beskar7.operations.recover.journal import RecoveryRefused
from beskar7.operations.recover.leases import Leases, lease_namespace
from beskar7.operations.recover.procedure import Step
from beskar7.operations.recover.report import Outcome, Report
from beskar7.operations.waiting import NotReached
from beskar7.term import MANAGER_LEASE

UNELECTED = "--leader-elect=false"
RECONCILES = "beskar7_controller_reconciliation_total"
LEADERSHIP = {
    MANAGER_LEASE: managers.LEADS,
    CLAIM_LEASE: "beskar7_claim_coordinator_leadership_duration_seconds",
}
"""Each lease, and what is more than 0 at the manager that leads by it."""
STOP_MARGIN = 60.0
"""Seconds that the end of a pod may take beyond its grace: a kubelet that is busy."""
START_TIMEOUT = 180.0
"""Seconds from a pod's creation, an image that has to be pulled among them, until it leads and
every host was reconciled once."""
PATCH_TIMEOUT = 30.0
"""Seconds for one change of an object, for an API server that fails now and then."""


class SplitBrain:
    """See :class:`beskar7.operations.recover.procedure.Procedure`."""

    name = "split-brain"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kube = cluster.kube

    # --- what there is ------------------------------------------------------------------------

    def find(self) -> list[str]:
        deployment = self._deployment()
        found = []
        leading = managers.leaders(self._cluster)
        if len(leading) > 1:
            found.append(f"{len(leading)} managers lead at once: {', '.join(leading)}")
        if not _elects(deployment) and managers.replicas(deployment) > 1:
            found.append(
                f"{managers.replicas(deployment)} replicas run with --leader-elect=false, so each "
                "of them leads"
            )
        leases = Leases(self._cluster, lease_namespace(self._cluster, deployment))
        # A holder that died just now is waited for, unless there is enough to do anyway.
        found += leases.foreign_holders(patient=not found)
        return found + doubly_owned(self._cluster)

    def remember(self) -> dict[str, Any]:
        deployment = self._deployment()
        wanted = managers.replicas(deployment)
        if wanted == 0:
            raise RecoveryRefused(
                f"Deployment {self._cluster.namespace}/{NAME} has no replicas, so nobody knows how "
                "many it should have: scale it to that number first"
            )
        return {
            "replicas": wanted,
            "leaseNamespace": lease_namespace(self._cluster, deployment),
            "unelected": not _elects(deployment),
            "grace": _grace(deployment),
            "suspects": suspects(self._cluster),
        }

    def _deployment(self) -> Object:
        found = managers.deployment(self._cluster)
        if found is None:
            raise RecoveryRefused(
                f"there is no Deployment {NAME} in namespace {self._cluster.namespace}"
            )
        return found

    # --- the steps ----------------------------------------------------------------------------

    def steps(self, saved: dict[str, Any]) -> Sequence[Step]:
        namespace, wanted = self._cluster.namespace, int(saved["replicas"])
        leases = Leases(self._cluster, str(saved["leaseNamespace"]))
        guarded = (
            " (meanwhile the webhooks refuse changes of hosts and machines; no step needs any)"
        )
        steps = [
            Step(
                "stop",
                f"scale {NAME} from {wanted} to 0 and wait until no manager is left"
                + (guarded if guarded_by_managers(self._cluster) else ""),
                lambda: managers.scale(self._cluster, 0),
                self._stopped,
                POD,
                namespace,
                float(saved["grace"]) + STOP_MARGIN,
                until="start-one",
            ),
            Step(
                "clear-leases",
                f"delete {leases.there() or 'no Lease, as there is none'}, once nobody renews it",
                leases.clear,
                lambda _: leases.left(),
                LEASE,
                leases.namespace,
                START_TIMEOUT,
            ),
        ]
        if saved["unelected"]:
            steps.append(
                Step(
                    "elect",
                    f"take {UNELECTED} out of the managers' arguments, for good",
                    self._elect,
                    lambda _: "" if _elects(self._deployment()) else f"{UNELECTED} is still there",
                    DEPLOYMENT,
                    namespace,
                    PATCH_TIMEOUT,
                )
            )
        return [
            *steps,
            Step(
                "start-one",
                "scale to 1 and wait until it holds the lease, leads, and has reconciled each host",
                lambda: managers.scale(self._cluster, 1),
                lambda _: self._first_leads(leases),
                POD,
                namespace,
                START_TIMEOUT,
                until="scale-back",
            ),
            Step(
                "scale-back",
                f"scale to {wanted} again and wait until all are available",
                lambda: managers.scale(self._cluster, wanted),
                managers.rolled_out_among,
                DEPLOYMENT,
                namespace,
                START_TIMEOUT,
            ),
            Step(
                "verify",
                "make sure that one manager leads by each lease, and that no machine has two hosts",
                lambda: None,
                lambda _: self._verify(leases, wanted),
                POD,
                namespace,
                START_TIMEOUT,
            ),
        ]

    def _stopped(self, pods: list[Object]) -> str:
        left = [pod for pod in managers.managers_among(pods) if managers.alive(pod)]
        names = ", ".join(_with_owner(pod) for pod in left)
        return f"{len(left)} managers have not ended: {names}" if left else ""

    def _elect(self) -> None:
        for position, container in enumerate(_containers(self._deployment())):
            if container.get("name") != podstatus.CONTAINER:
                continue
            path = f"/spec/template/spec/containers/{position}/args"
            args = [str(arg) for arg in container.get("args") or ()]
            patch = [
                {"op": "test", "path": path, "value": args},
                {
                    "op": "replace",
                    "path": path,
                    "value": managers.without_flag(args, managers.ELECT),
                },
            ]
            self._kube.patch(DEPLOYMENT, self._cluster.namespace, NAME, patch, type="json")

    def _verify(self, leases: Leases, wanted: int) -> str:
        missing = self._one_leads(leases, wanted)
        doubly = "" if missing else "; ".join(doubly_owned(self._cluster))
        if doubly:
            raise NotReached(f"{doubly}: delete that machine, which releases them all")
        return missing

    def _one_leads(self, leases: Leases, wanted: int) -> str:
        pods = [pod for pod in managers.pods(self._cluster) if managers.alive(pod)]
        ready = sum(podstatus.ready(pod) for pod in pods)
        if len(pods) != wanted or ready != wanted:
            return f"{len(pods)} pods, {ready} of them ready, instead of {wanted}"
        told = managers.told(self._cluster, *LEADERSHIP.values())
        names = [podstatus.pod_name(pod) for pod in pods]
        silent = [name for name in names if name not in told.each]
        if silent:
            return f"no metrics from {', '.join(silent)}"
        for lease, gauge in LEADERSHIP.items():
            leading = managers.saying(told, gauge)
            holder = managers.pod_of(leases.holder(lease))
            expected = [holder] if holder else []
            if leading != expected or (lease == MANAGER_LEASE and not holder):
                return (
                    f"leading: {', '.join(leading) or 'nobody'}; Lease {lease} is held by "
                    f"{holder or 'nobody'}"
                )
        return ""

    def _first_leads(self, leases: Leases) -> str:
        """The one manager leads, and its term has had each host in its hands."""
        missing = self._one_leads(leases, 1)
        if missing:
            return missing
        hosts = len(self._kube.list(PHYSICAL_HOST).items)
        told = managers.told(self._cluster, RECONCILES)
        seen = told.total(RECONCILES, controller="physicalhost")
        return "" if seen >= hosts else f"{seen:g} reconciles of {hosts} hosts"

    # --- back ---------------------------------------------------------------------------------

    def undo(self, saved: dict[str, Any]) -> Sequence[Step]:
        wanted = int(saved["replicas"])
        return [
            Step(
                "restore",
                f"scale {NAME} to {wanted} again and wait until all are available",
                lambda: managers.scale(self._cluster, wanted),
                managers.rolled_out_among,
                DEPLOYMENT,
                self._cluster.namespace,
                START_TIMEOUT,
            )
        ]

    def left(self, saved: dict[str, Any], begun: set[str]) -> list[str]:
        left = []
        if "stop" in begun:
            left.append(f"the replicas of {NAME}: they were {saved['replicas']}")
        if "elect" in begun:
            left.append(f"the managers' arguments, without {UNELECTED}")
        return left

    def conclude(self, saved: dict[str, Any], report: Report) -> None:
        if saved["suspects"]:
            report.advice.append(
                f"several managers may have worked on {', '.join(saved['suspects'])}: see whether "
                "they run what they should, and if in doubt make their machines anew"
            )
        if saved["unelected"] and report.outcome is Outcome.DONE:
            report.advice.append(
                f"{UNELECTED} was taken out of the Deployment; take it out of what it is made "
                "from, too"
            )


def _containers(deployment: Object) -> list[Object]:
    found: list[Object] = deployment["spec"]["template"]["spec"]["containers"]
    return found


def _grace(deployment: Object) -> float:
    spec = deployment["spec"]["template"]["spec"]
    return float(spec.get("terminationGracePeriodSeconds", GRACE))


def _elects(deployment: Object) -> bool:
    return managers.elects(podstatus.container(deployment["spec"]["template"]))


def _with_owner(pod: Object) -> str:
    """The pod, and whose it is unless it is the Deployment's."""
    owners = [
        f"{owner['kind']} {owner['name']}" for owner in pod["metadata"].get("ownerReferences") or ()
    ]
    ours = any(owner.startswith(f"ReplicaSet {NAME}-") for owner in owners)
    return podstatus.pod_name(pod) + ("" if ours else f" (of {', '.join(owners) or 'nobody'})")
