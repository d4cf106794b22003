"""Does what a kubectl command of a scenario does, through the Kubernetes port.

For virtual time, where no child can run, and for systems without kubectl. That it leaves the same
objects as the real one is a test of its own (``tests/interop/workloads``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from beskar7.api.errors import ApiError, Conflict, NotFound
from beskar7.api.kinds import Kind
from beskar7.api.meta import rfc3339
from beskar7.api.objects import Object, copy_json
from beskar7.kube.port import Kube
from beskar7.runtime import Runtime
from emulator.kube.kinds.registry import Registry
from emulator.kube.kinds.structure import structure_of
from emulator.kube.patches.patch import apply_patch, merge_patch
from emulator.kube.workloads.objects import DEPLOYMENT, meta, spec
from scenarios.engine.rehearsal.kubectl_commands import (
    Apply,
    Command,
    Delete,
    Mark,
    Patch,
    Place,
    RolloutRestart,
    RolloutStatus,
    Scale,
    SetEnv,
    SetResources,
)
from scenarios.engine.rehearsal.kubectl_waits import (
    DELETION_PATIENCE,
    KubectlError,
    await_end,
    await_rollout,
)
from scenarios.engine.rehearsal.kubectl_words import WORDS

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRIES = 5
"""Of a write that is refused as the object has changed meanwhile; kubectl's own number for
patches."""


def perform(command: Command, kube: Kube, runtime: Runtime) -> None:
    """Raises :class:`KubectlError` for what kubectl would end with an error for."""
    try:
        _perform(command, kube, runtime)
    except ApiError as error:
        raise KubectlError(f"Error from server ({error.reason}): {error.message}") from None


def _perform(command: Command, kube: Kube, runtime: Runtime) -> None:
    match command:
        case Patch(place, form, patch, subresource):
            if form == "strategic":
                _change(kube, place, lambda obj: _strategic(place.kind, obj, patch))
            else:
                kube.patch(
                    place.kind,
                    place.namespace or None,
                    place.name,
                    patch,
                    type=form,
                    subresource=subresource,
                )
        case Scale(place, count):
            _merge(kube, place, {"spec": {"replicas": count}})
        case RolloutRestart(place):
            annotations = {RESTARTED_AT: rfc3339(runtime.wall())}
            template = {"template": {"metadata": {"annotations": annotations}}}
            _merge(kube, place, {"spec": template})
        case RolloutStatus(place, timeout):
            await_rollout(kube, place, runtime, timeout)
        case Delete():
            _delete(kube, command, runtime)
        case Mark():
            _mark(kube, command)
        case Apply(manifests, namespace):
            for manifest in manifests:
                _apply(kube, manifest, namespace)
        case SetEnv(place, values, container):
            _change(kube, place, lambda obj: _with_env(obj, values, container))
        case SetResources(place, limits, requests, container):
            wanted = {"limits": dict(limits), "requests": dict(requests)}
            resources = {name: value for name, value in wanted.items() if value}
            _containers(kube, place, container, {"resources": resources})


def _merge(kube: Kube, place: Place, patch: Object) -> None:
    kube.patch(place.kind, place.namespace or None, place.name, patch)


def _change(kube: Kube, place: Place, change: Callable[[Object], Object]) -> None:
    """Read, change, and write unless somebody was faster; then again."""
    for _ in range(TRIES - 1):
        try:
            return _change_once(kube, place, change)
        except Conflict:
            continue
    return _change_once(kube, place, change)


def _change_once(kube: Kube, place: Place, change: Callable[[Object], Object]) -> None:
    found = kube.get(place.kind, place.namespace or None, place.name)
    changed = change(found)
    if changed != found:
        kube.update(place.kind, changed)


@functools.cache
def _registry() -> Registry:
    return Registry()


def _strategic(kind: Kind, obj: Object, patch: Any) -> Object:
    resource = _registry().get(kind)
    return apply_patch(obj, patch, "strategic", structure_of(resource) if resource else None)


def _with_env(obj: Object, values: Mapping[str, str | None], container: str) -> Object:
    """What is new comes last. Of a container that is not there kubectl only warns."""
    changed = copy_json(obj)
    for each in spec(changed)["template"]["spec"]["containers"]:
        if container not in ("", "*", each["name"]):
            continue
        old = each.get("env") or []
        kept = [
            {"name": item["name"], "value": values[item["name"]]}
            if values.get(item["name"]) is not None
            else item
            for item in old
            if values.get(item["name"], "") is not None
        ]
        there = {item["name"] for item in old}
        new = [
            {"name": name, "value": value}
            for name, value in values.items()
            if value is not None and name not in there
        ]
        each["env"] = kept + new
    return changed


def _containers(kube: Kube, place: Place, container: str, change: Object) -> None:
    """Merge ``change`` into the container of this name, or into all."""

    def changed(obj: Object) -> Object:
        names = [item["name"] for item in spec(obj)["template"]["spec"]["containers"]]
        chosen = [name for name in names if container in ("", "*", name)]
        if not chosen:
            raise KubectlError(f"error: unable to find container named {container}")
        containers = [{"name": name, **change} for name in chosen]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        return _strategic(place.kind, obj, patch)

    _change(kube, place, changed)


def _mark(kube: Kube, mark: Mark) -> None:
    place = mark.place
    if not mark.overwrite:
        found = meta(kube.get(place.kind, place.namespace or None, place.name))
        old = found.get(mark.field) or {}
        for key, value in mark.values.items():
            if value is not None and old.get(key, value) != value:
                raise KubectlError(f"error: --overwrite is false but {key} has another value")
    _merge(kube, place, {"metadata": {mark.field: dict(mark.values)}})


def _apply(kube: Kube, manifest: Object, namespace: str) -> None:
    """Create, or bring what is there to what the manifest says: what an earlier manifest said and
    this one does not is taken away."""
    kind = next(kind for kind in WORDS.values() if kind.kind == manifest["kind"])
    where = str(meta(manifest).get("namespace") or namespace) if kind.namespaced else ""
    wanted = merge_patch(manifest, {"metadata": {"annotations": {}}})
    if where:
        wanted["metadata"]["namespace"] = where
    said = orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    wanted = merge_patch(wanted, {"metadata": {"annotations": {LAST_APPLIED: said}}})
    place = Place(kind, where, str(meta(manifest)["name"]))
    try:
        kube.get(kind, where or None, place.name)
    except NotFound:
        kube.create(kind, wanted)
        return

    def changed(obj: Object) -> Object:
        last = orjson.loads((meta(obj).get("annotations") or {}).get(LAST_APPLIED, "{}"))
        patch = merge_patch(_removals(last, wanted), wanted)
        if kind.group == DEPLOYMENT.group or not kind.group:
            return _strategic(kind, obj, patch)
        return apply_patch(obj, patch, "merge")

    _change(kube, place, changed)


def _removals(last: Any, wanted: Any) -> Object:
    """A merge patch that takes off what ``last`` says and ``wanted`` does not."""
    gone: Object = {}
    for key, value in last.items():
        if key not in wanted:
            gone[key] = None
        elif (
            isinstance(value, dict)
            and isinstance(wanted[key], dict)
            and (inner := _removals(value, wanted[key]))
        ):
            gone[key] = inner
    return gone


def _delete(kube: Kube, command: Delete, runtime: Runtime) -> None:
    places = list(command.places)
    if command.kind is not None:
        listed = kube.list(command.kind, command.namespace, label_selector=command.selector)
        places = [Place(command.kind, command.namespace, meta(o)["name"]) for o in listed.items]
    uids: list[tuple[Place, str]] = []
    for place in places:
        try:
            uid = meta(kube.get(place.kind, place.namespace or None, place.name))["uid"]
            kube.delete(place.kind, place.namespace or None, place.name, uid=uid)
            uids.append((place, uid))
        except NotFound:
            if not command.ignore_not_found and command.kind is None:
                raise
    if command.wait:
        end = runtime.now() + DELETION_PATIENCE
        for place, uid in uids:
            await_end(kube, place, uid, runtime, end)
