"""Judges what runs: prerequisites, the Deployment, its pods, and the webhooks that need them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from beskar7.api.conditions import get_condition
from beskar7.api.durations import format_duration
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object
from beskar7.operations.doctor.diagnosis import Finding, Section, finding
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import UNREAD, Snapshot
from beskar7.operations.podstatus import (
    container,
    container_status,
    last_end,
    pod_name,
    ready,
    running,
)
from beskar7.operations.pool import counted

PASSING = ("ContainerCreating", "PodInitializing")
"""Reasons of a container that waits as it should."""
OUT_OF_MEMORY = "OOMKilled"
LAST_WORDS = 200
"""Characters."""


def prerequisites(snapshot: Snapshot) -> Section:
    """Whether all kinds are there, and whether all could be read."""
    found = []
    if snapshot.missing_kinds:
        kinds = ", ".join(snapshot.missing_kinds)
        text = f"the API server does not know {kinds}"
        found.append(finding("kinds-missing", snapshot.namespace, text, snapshot.missing_kinds))
    if snapshot.unread:
        whys = [f"{what}: {why}" for what, why in snapshot.unread.items()]
        text = f"could not be read: {', '.join(snapshot.unread)}"
        found.append(finding("rights-missing", snapshot.namespace, text, whys))
    line = "; ".join(each.message for each in found) or "the API answers, all kinds are there"
    facts = {"missingKinds": list(snapshot.missing_kinds), "unread": dict(snapshot.unread)}
    return Section("prerequisites", line, facts, tuple(found))


def deployment(snapshot: Snapshot, installed: Installed) -> Section:
    """The managers as the Deployment asks for them and as their pods are."""
    if snapshot.deployment is None:
        return _missing(snapshot)
    pods = snapshot.pods
    wanted = replicas(snapshot.deployment)
    status = snapshot.deployment.get("status") or {}
    there = int(status.get("readyReplicas") or 0)
    images = Counter(str(container(pod).get("image") or "") for pod in pods)
    restarts = {pod_name(pod): int(container_status(pod).get("restartCount") or 0) for pod in pods}
    found = [
        *_availability(snapshot, wanted, there),
        *_flags(snapshot, installed),
        *(each for pod in pods for each in _pod(snapshot, pod)),
        *_webhooks(snapshot, installed, there),
    ]
    if len(images) > 1:
        text = ", ".join(f"{image} in {count}" for image, count in sorted(images.items()))
        found.append(finding("images-mixed", snapshot.namespace, text))
    line = f"{there} of {wanted} managers ready"
    if images:
        line += f", {' and '.join(sorted(images))}"
    line += f", {counted(sum(restarts.values()), 'restart')}"
    facts: dict[str, Any] = {
        "replicas": wanted,
        "ready": there,
        "images": dict(sorted(images.items())),
        "restarts": restarts,
        "lastEnds": {
            pod_name(pod): _ending(ended) + _said(ended) for pod in pods if (ended := last_end(pod))
        },
    }
    return Section("deployment", line, facts, tuple(found))


def replicas(deployment: Object) -> int:
    """That it asks for; 1 where it says nothing."""
    wanted = (deployment.get("spec") or {}).get("replicas")
    return 1 if wanted is None else int(wanted)


def _missing(snapshot: Snapshot) -> Section:
    """Not there; unless nobody may see it, which prerequisites tell."""
    if "deployment" in snapshot.unread:
        return Section("deployment", UNREAD, {})
    text = f"no Deployment beskar7-controller-manager in namespace {snapshot.namespace}"
    return Section(
        "deployment", text, {}, (finding("deployment-missing", snapshot.namespace, text),)
    )


def _availability(snapshot: Snapshot, wanted: int, there: int) -> Iterator[Finding]:
    namespace = snapshot.namespace
    assert snapshot.deployment is not None
    told = get_condition(snapshot.deployment.get("status") or {}, "Progressing") or {}
    if wanted == 0:
        yield finding("scaled-to-zero", namespace, "the Deployment asks for 0 managers")
    elif there == 0:
        yield finding("deployment-unavailable", namespace, f"none of {wanted} managers is ready")
    elif there < wanted:
        unready = [pod_name(pod) for pod in snapshot.pods if not ready(pod)]
        text = f"{there} of {wanted} managers are ready"
        yield finding("replicas-missing", namespace, text, unready)
    elif wanted == 1:
        yield finding("single-manager", namespace, "one manager only")
    if told.get("status") == "False":
        yield finding("rollout-stuck", namespace, str(told.get("message") or told.get("reason")))


def _flags(snapshot: Snapshot, installed: Installed) -> Iterator[Finding]:
    if installed.flags_problem:
        yield finding("flags-refused", snapshot.namespace, installed.flags_problem)


def _pod(snapshot: Snapshot, pod: Object) -> Iterator[Finding]:
    name = pod_name(pod)
    state = container_status(pod).get("state") or {}
    waiting = state.get("waiting") or {}
    ended = last_end(pod)
    words = _ending(ended)
    last = f"{words}{_said(ended)}"
    if waiting and waiting.get("reason") not in PASSING:
        text = f"{name}: {waiting.get('reason')}"
        text += f", last {last}" if ended else f": {waiting.get('message') or ''}"
        yield finding("manager-crashing", snapshot.namespace, text.rstrip(": "), [name])
    elif "terminated" in state:
        yield finding("manager-crashing", snapshot.namespace, f"{name} {last}", [name])
    if not ended:
        return
    at = ended.get("finishedAt")
    ago = snapshot.at - parse_rfc3339(at) if at else 0.0
    if ago > snapshot.recent:
        return
    since = f"{format_duration(max(0, round(ago)))} ago"
    if ended.get("reason") == OUT_OF_MEMORY:
        text = f"{name} was out of memory {since}"
        yield finding("manager-out-of-memory", snapshot.namespace, text, [name])
    elif "running" in state:
        yield finding("manager-restarted", snapshot.namespace, f"{name} {words} {since}", [name])


def _ending(ended: Object) -> str:
    """``ended with Error (exit code 2)``"""
    return f"ended with {ended.get('reason') or 'no reason'} (exit code {ended.get('exitCode')})"


def _said(ended: Object) -> str:
    """Its last words; the message may be the end of a log."""
    lines = str(ended.get("message") or "").strip().splitlines()
    return f": {lines[-1][:LAST_WORDS]}" if lines else ""


def silent(snapshot: Snapshot) -> Sequence[str]:
    """The managers that run and are ready, and serve no metrics."""
    return [
        pod_name(pod)
        for pod in snapshot.pods
        if running(pod) and ready(pod) and pod_name(pod) not in snapshot.managers.each
    ]


def _webhooks(snapshot: Snapshot, installed: Installed, there: int) -> Iterator[Finding]:
    """Webhooks that fail closed while nobody serves them, or that cannot be trusted."""
    strict, untrusted = [], []
    for configuration in snapshot.webhooks:
        name = configuration["metadata"]["name"]
        for webhook in configuration.get("webhooks") or ():
            if webhook.get("failurePolicy", "Fail") != "Fail":
                continue
            strict.append(f"{name}/{webhook.get('name')}")
            if not (webhook.get("clientConfig") or {}).get("caBundle"):
                untrusted.append(f"{name}/{webhook.get('name')}")
    served = there > 0 and installed.settings.webhook_port > 0
    if strict and not served:
        why = "no manager is ready" if there == 0 else "the managers have no --webhook-port"
        text = f"{len(strict)} webhooks fail closed, and {why}"
        yield finding("webhooks-without-manager", snapshot.namespace, text, strict)
    if untrusted:
        text = f"{len(untrusted)} webhooks have no caBundle"
        yield finding("webhooks-without-certificate", snapshot.namespace, text, untrusted)
