"""The Deployment and ReplicaSet controllers: they carry out, on the store, what is decided purely.

They run as a listener of the store, right after the commit that concerns them, like the server's
other controllers. What has to wait for time asks the given ``later``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.errors import AlreadyExists, ApiError, NotFound
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.store.history import Change, Entry
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.workloads import progress, replicas, rollout, template
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.objects import (
    DEPLOYMENT,
    HASH_LABEL,
    POD,
    REPLICA_SET,
    controller_of,
    meta,
    owned_by,
    owner,
    spec,
    status,
    terminating,
)

log = logging.getLogger(__name__)

DEPLOYMENTS = "deployment-controller"
REPLICA_SETS = "replicaset-controller"
_CALL = {
    DEPLOYMENT: Call(client=f"kube-controller-manager/{DEPLOYMENTS}"),
    REPLICA_SET: Call(client=f"kube-controller-manager/{REPLICA_SETS}"),
}
_MAX_COLLISIONS = 10

Later = Callable[[float, Callable[[], object]], object]
"""``later(seconds, call)``: such as an event loop's ``call_later``."""


class Controllers:
    """Attach one to a store. ``later`` runs a call in so many seconds, in the store's own turn."""

    def __init__(self, store: Store, later: Later) -> None:
        self._store = store
        self._later = later
        self._deployments = Recorder(store, DEPLOYMENTS)
        self._replica_sets = Recorder(store, REPLICA_SETS)
        self._timers: set[tuple[Kind, str, str]] = set()
        store.listeners.append(self._on_change)

    def resync(self) -> None:
        """Look at everything once, as after a restart."""
        for kind in (REPLICA_SET, DEPLOYMENT):
            for entry in list(self._store.list(kind)):
                self._sync(kind, entry.namespace, entry.name)

    def _on_change(self, change: Change) -> None:
        entry, kind = change.entry, change.kind
        if kind in (DEPLOYMENT, REPLICA_SET) and change.type != "DELETED":
            self._sync(kind, entry.namespace, entry.name)
        if kind == POD:
            self._sync_owner(REPLICA_SET, entry)
            if change.type == "DELETED":
                self._sync_grand_owner(entry)
        elif kind == REPLICA_SET:
            self._sync_owner(DEPLOYMENT, entry)

    def _sync_owner(self, kind: Kind, entry: Entry) -> None:
        reference = controller_of(entry.obj)
        if reference is not None and reference.get("kind") == kind.kind:
            self._sync(kind, entry.namespace, str(reference.get("name", "")), reference.get("uid"))

    def _sync_grand_owner(self, pod: Entry) -> None:
        """A pod that has really gone: the next step of a Recreate may have waited for that."""
        reference = controller_of(pod.obj)
        if reference is not None and reference.get("kind") == REPLICA_SET.kind:
            try:
                entry = self._store.get(REPLICA_SET, pod.namespace, str(reference.get("name", "")))
            except NotFound:
                return
            self._sync_owner(DEPLOYMENT, entry)

    def _sync(self, kind: Kind, namespace: str, name: str, uid: str | None = None) -> None:
        try:
            entry = self._store.get(kind, namespace, name)
        except NotFound:
            return
        if terminating(entry.obj) or (uid is not None and entry.uid != uid):
            return
        try:
            if kind == DEPLOYMENT:
                self._sync_deployment(entry)
            else:
                self._sync_replica_set(entry)
        except ApiError as error:
            log.warning("%s %s/%s: %s", kind, namespace, name, error.message)
        except Exception:
            # A controller's fault must not become the answer to whoever made the change.
            log.exception("%s %s/%s could not be reconciled", kind, namespace, name)

    def _look_again(self, kind: Kind, entry: Entry, seconds: float | None) -> None:
        address = (kind, entry.namespace, entry.name)
        if seconds is None or address in self._timers:
            return

        def due() -> None:
            self._timers.discard(address)
            self._sync(*address)

        self._timers.add(address)
        self._later(seconds + 0.01, due)

    def _write_status(self, kind: Kind, entry: Entry, new: Object) -> None:
        latest = self._store.get(kind, entry.namespace, entry.name)
        if new != status(latest.obj):
            obj = {**latest.copy(), "status": new}
            self._store.update_status(kind, obj, call=_CALL[kind])

    # ReplicaSets

    def _sync_replica_set(self, entry: Entry) -> None:
        store, call = self._store, _CALL[REPLICA_SET]
        pods = self._owned(POD, entry)
        change = replicas.change(entry.obj, pods)
        for _ in range(change.create):
            try:
                made = store.create(POD, template.pod_of(entry.obj), call=call)
            except ApiError as error:
                words = f"Error creating: {error.message}"
                self._replica_sets.event(REPLICA_SET, entry.obj, "Warning", "FailedCreate", words)
                break
            words = f"Created pod: {made.name}"
            self._replica_sets.event(REPLICA_SET, entry.obj, "Normal", "SuccessfulCreate", words)
        for pod in change.delete:
            name = meta(pod)["name"]
            store.delete(POD, entry.namespace, name, uid=meta(pod)["uid"], call=call)
            words = f"Deleted pod: {name}"
            self._replica_sets.event(REPLICA_SET, entry.obj, "Normal", "SuccessfulDelete", words)
        if change.create or change.delete:
            pods = self._owned(POD, entry)
        if change.refused:
            words = f"Error creating: more than {replicas.MAX_REPLICAS} pods are not run here"
            self._replica_sets.event(REPLICA_SET, entry.obj, "Warning", "FailedCreate", words)
        wall = store.runtime.wall()
        told = replicas.tally(entry.obj, pods, change.refused, wall, rfc3339(wall))
        self._write_status(REPLICA_SET, entry, told.status)
        self._look_again(REPLICA_SET, entry, told.again)

    def _owned(self, kind: Kind, entry: Entry) -> list[Object]:
        return [
            each.obj
            for each in self._store.list(kind, entry.namespace)
            if owned_by(each.obj, entry.uid)
        ]

    # Deployments

    def _sync_deployment(self, entry: Entry) -> None:
        deployment = entry.obj
        owned = [each for each in self._owned(REPLICA_SET, entry) if not terminating(each)]
        new, old = rollout.split(deployment, owned)
        made = False
        if new is None and not spec(deployment).get("paused"):
            new = self._create(deployment, old)
            if new is None:
                return  # it found one, or its turn comes with the next change
            made = True
        elif new is not None:
            new = self._annotate(deployment, new, old)
        old_pods = sum(
            1
            for each in self._store.list(POD, entry.namespace)
            if (reference := controller_of(each.obj)) is not None
            and any(reference["uid"] == meta(one)["uid"] for one in old)
            and status(each.obj).get("phase") not in ("Succeeded", "Failed")
        )
        for scale in rollout.scales(deployment, new, old, old_pods=old_pods):
            self._scale(deployment, scale)
        _, old = rollout.split(
            deployment, [each for each in self._owned(REPLICA_SET, entry) if not terminating(each)]
        )
        for each in rollout.obsolete(deployment, old):
            self._store.delete(
                REPLICA_SET, entry.namespace, meta(each)["name"], call=_CALL[DEPLOYMENT]
            )
        new, old = rollout.split(
            deployment, [each for each in self._owned(REPLICA_SET, entry) if not terminating(each)]
        )
        wall = self._store.runtime.wall()
        told = progress.progress(deployment, new, old, made=made, now=wall, at=rfc3339(wall))
        if "collisionCount" in status(deployment):
            told.status["collisionCount"] = status(deployment)["collisionCount"]
        self._write_status(DEPLOYMENT, entry, told.status)
        self._look_again(DEPLOYMENT, entry, told.again)

    def _create(self, deployment: Object, old: list[Object]) -> Object | None:
        """The ReplicaSet of the present template, at once at the size that the rollout allows."""
        wanted = spec(deployment)
        number = rollout.next_revision(None, old)
        collisions = int(status(deployment).get("collisionCount") or 0)
        for attempt in range(collisions, collisions + _MAX_COLLISIONS):
            value = template.template_hash(wanted.get("template") or {}, attempt)
            selector = dict(wanted.get("selector") or {})
            selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: value}
            pod_template = template.hashed(wanted.get("template") or {}, value)
            obj: Object = {
                "apiVersion": REPLICA_SET.api_version,
                "kind": REPLICA_SET.kind,
                "metadata": {
                    "name": f"{meta(deployment)['name']}-{value}",
                    "namespace": meta(deployment)["namespace"],
                    "labels": pod_template["metadata"]["labels"],
                    "annotations": rollout.notes(deployment, None, number),
                    "ownerReferences": [owner(DEPLOYMENT, deployment)],
                },
                "spec": {
                    "replicas": 0,
                    "minReadySeconds": wanted.get("minReadySeconds") or 0,
                    "selector": selector,
                    "template": pod_template,
                },
            }
            try:
                made = self._store.create(REPLICA_SET, obj, call=_CALL[DEPLOYMENT]).obj
            except AlreadyExists:
                continue  # another template with the same hash: the next count gives another
            self._set_revision(deployment, number)
            return made
        return None

    def _annotate(self, deployment: Object, new: Object, old: list[Object]) -> Object:
        number = rollout.next_revision(new, old)
        wanted = rollout.notes(deployment, new, number)
        wait = spec(deployment).get("minReadySeconds") or 0
        patch: Object = {}
        if wanted != (meta(new).get("annotations") or {}):
            patch["metadata"] = {"annotations": wanted}
        if wait != (spec(new).get("minReadySeconds") or 0):
            patch["spec"] = {"minReadySeconds": wait}
        if patch:
            namespace, name = meta(new)["namespace"], meta(new)["name"]
            entry = self._store.patch(REPLICA_SET, namespace, name, patch, call=_CALL[DEPLOYMENT])
            new = entry.obj
        self._set_revision(deployment, number)
        return new

    def _set_revision(self, deployment: Object, number: int) -> None:
        if rollout.revision(deployment) != number:
            patch = {"metadata": {"annotations": {rollout.REVISION: str(number)}}}
            namespace, name = meta(deployment)["namespace"], meta(deployment)["name"]
            self._store.patch(DEPLOYMENT, namespace, name, patch, call=_CALL[DEPLOYMENT])

    def _scale(self, deployment: Object, scale: rollout.Scale) -> None:
        self._store.patch(
            REPLICA_SET,
            meta(deployment)["namespace"],
            scale.name,
            {"spec": {"replicas": scale.after}},
            call=_CALL[DEPLOYMENT],
        )
        way = "up" if scale.after > scale.before else "down"
        words = f"Scaled {way} replica set {scale.name} from {scale.before} to {scale.after}"
        self._deployments.event(DEPLOYMENT, deployment, "Normal", "ScalingReplicaSet", words)
