"""Rules of the Beskar7MachineTemplate: immutable, as Cluster API's contract wants it."""

from __future__ import annotations

from beskar7.api.admission import machines
from beskar7.api.admission.context import (
    Context,
    Findings,
    Operation,
    Unreadable,
    changed,
    dig,
    mapping,
    text,
)
from beskar7.api.causes import Cause, forbidden_field
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    MACHINE_DEPLOYMENT,
    MACHINE_SET,
    NAMESPACE,
)
from beskar7.api.objects import Object

CLONED_FROM_NAME = "cluster.x-k8s.io/cloned-from-name"
CLONED_FROM_GROUP_KIND = "cluster.x-k8s.io/cloned-from-groupkind"
DRY_RUN = "topology.cluster.x-k8s.io/dry-run"
"""Cluster API's topology controller asks with it what an update would do; it must not fail."""
DELETE_FOR_MOVE = "clusterctl.cluster.x-k8s.io/delete-for-move"
"""clusterctl sets it before it deletes what now lives in another cluster."""
_SPEC = ("spec", "template", "spec")
_GROUP_KIND = f"{BESKAR7_MACHINE_TEMPLATE.kind}.{BESKAR7_MACHINE_TEMPLATE.group}"
_MAX_NAMED = 5  # users of a template that a refusal names


def default(template: Object) -> Object:
    return machines.default_at(template, *_SPEC)


def validate(
    operation: Operation, new: Object | None, old: Object | None, context: Context, found: Findings
) -> None:
    if operation == "DELETE":
        _deleted(old or {}, context, found)
        return
    if new is None:
        return
    if old is not None:
        if not (context.dry_run and dig(new, "metadata", "annotations", DRY_RUN) is not None):
            _immutable(new, old, found)
        return
    machines.validate_at(new, old, _SPEC, found)
    if text(new, *_SPEC, "providerID"):
        hint = "one host cannot be that of all machines made from the template"
        found.causes.append(forbidden_field("spec.template.spec.providerID", hint))


def _immutable(new: Object, old: Object, found: Findings) -> None:
    before, after = mapping(old, *_SPEC), mapping(new, *_SPEC)
    for key in sorted(before.keys() | after.keys()):
        if changed(after, before, key):
            hint = "is immutable; create a new template and let its users refer to that one"
            found.causes.append(forbidden_field(f"spec.template.spec.{key}", hint))


def _deleted(template: Object, context: Context, found: Findings) -> None:
    """Refused while somebody needs it to make machines, or made the machines that there are."""
    if dig(template, "metadata", "annotations", DELETE_FOR_MOVE) is not None:
        return
    namespace, name = text(template, "metadata", "namespace"), text(template, "metadata", "name")
    try:
        users = _users(namespace, name, context, found)
        if not users:
            return
        around = found.look_up(context, NAMESPACE, None, namespace)
    except Unreadable:
        return
    if dig(around, "metadata", "deletionTimestamp"):
        return  # its users go as well, in no particular order
    named = ", ".join(users[:_MAX_NAMED])
    more = f" and {len(users) - _MAX_NAMED} more" if len(users) > _MAX_NAMED else ""
    found.causes.append(
        Cause("metadata.name", f"Forbidden: in use by {named}{more}", "FieldValueForbidden")
    )


def _users(namespace: str, name: str, context: Context, found: Findings) -> list[str]:
    """Kind and name of what uses the template and is not going away itself."""
    users = [
        f"{BESKAR7_MACHINE} {text(machine, 'metadata', 'name')}"
        for machine in found.look_through(context, BESKAR7_MACHINE, namespace)
        if not dig(machine, "metadata", "deletionTimestamp") and _cloned_from(machine, name)
    ]
    for kind in (MACHINE_DEPLOYMENT, MACHINE_SET):
        users += [
            f"{kind} {text(each, 'metadata', 'name')}"
            for each in found.look_through(context, kind, namespace)
            if not dig(each, "metadata", "deletionTimestamp") and _refers_to(each, name)
        ]
    return users


def _cloned_from(machine: Object, name: str) -> bool:
    annotations = mapping(machine, "metadata", "annotations")
    return (
        annotations.get(CLONED_FROM_NAME) == name
        and annotations.get(CLONED_FROM_GROUP_KIND) == _GROUP_KIND
    )


def _refers_to(owner: Object, name: str) -> bool:
    """By apiVersion (Cluster API v1beta1) or by apiGroup (v1beta2)."""
    ref = mapping(owner, "spec", "template", "spec", "infrastructureRef")
    group = text(ref, "apiGroup") or text(ref, "apiVersion").partition("/")[0]
    expected = (BESKAR7_MACHINE_TEMPLATE.group, BESKAR7_MACHINE_TEMPLATE.kind, name)
    return (group, text(ref, "kind"), text(ref, "name")) == expected
