"""What kubectl waits for: the end of what it has deleted, and a rollout."""

from __future__ import annotations

from beskar7.api.errors import NotFound
from beskar7.api.objects import Object
from beskar7.kube.port import Kube
from beskar7.runtime import Runtime
from emulator.kube.workloads.objects import meta, replicas, status
from scenarios.engine.rehearsal.kubectl_commands import Place

DELETION_PATIENCE = 60.0
"""Seconds that ``delete`` waits for an object's end."""


class KubectlError(Exception):
    """The command failed; ``args[0]`` is what it said."""


def await_end(kube: Kube, place: Place, uid: str, runtime: Runtime, end: float) -> None:
    by_name = f"metadata.name={place.name}"
    while (left := end - runtime.now()) > 0:
        listed = kube.list(place.kind, place.namespace or None, field_selector=by_name)
        if not any(meta(obj)["uid"] == uid for obj in listed.items):
            return
        events = kube.watch(
            place.kind,
            place.namespace or None,
            resource_version=listed.resource_version,
            timeout=left,
            field_selector=by_name,
        )
        for event in events:
            if event.type == "DELETED":
                return
    raise KubectlError(f"error: timed out waiting for the end of {place}")


def await_rollout(kube: Kube, place: Place, runtime: Runtime, timeout: float) -> None:
    by_name = f"metadata.name={place.name}"
    end = runtime.now() + timeout
    said = ""
    while (left := end - runtime.now()) > 0:
        listed = kube.list(place.kind, place.namespace, field_selector=by_name)
        if not listed.items:
            raise NotFound(f'{place.kind.qualified} "{place.name}" not found')
        if not (said := unfinished(listed.items[0])):
            return
        events = kube.watch(
            place.kind,
            place.namespace,
            resource_version=listed.resource_version,
            timeout=left,
            field_selector=by_name,
        )
        for event in events:
            if event.type in ("ADDED", "MODIFIED") and not (said := unfinished(event.object)):
                return
            if event.type == "DELETED":
                raise KubectlError("error: object has been deleted")
    raise KubectlError(f"error: timed out waiting for the condition: {said}")


def unfinished(deployment: Object) -> str:
    """What a rollout still waits for, as kubectl asks it; empty when it is done."""
    found, wanted = status(deployment), replicas(deployment)
    if found.get("observedGeneration", 0) < meta(deployment).get("generation", 1):
        return "the change was not seen yet"
    for condition in found.get("conditions") or ():
        if condition.get("reason") == "ProgressDeadlineExceeded":
            raise KubectlError(
                f'error: deployment "{meta(deployment)["name"]}" exceeded its progress deadline'
            )
    updated, total = found.get("updatedReplicas", 0), found.get("replicas", 0)
    available = found.get("availableReplicas", 0)
    if updated < wanted:
        return f"{updated} out of {wanted} new replicas have been updated"
    if total > updated:
        return f"{total - updated} old replicas are pending termination"
    if available < updated:
        return f"{available} of {updated} updated replicas are available"
    return ""
