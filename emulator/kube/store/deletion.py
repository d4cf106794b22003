"""What a DELETE does to an object: at once, marked and waiting for finalizers, or graceful."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import BadRequest
from beskar7.api.kinds import NAMESPACE, Kind
from beskar7.api.objects import Object
from emulator.kube.store.metadata import rfc3339

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_POLICIES = {"Background": None, "Foreground": FOREGROUND, "Orphan": ORPHAN}
_MAX_GRACE = 2**31
POD = Kind("", "v1", "Pod", "pods")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """``propagation`` is "", Background, Foreground or Orphan; ``grace`` seconds, for Pods."""

    uid: str | None = None
    resource_version: str | None = None
    propagation: str = ""
    grace: int | None = None
    dry_run: bool = False

    @classmethod
    def read(cls, body: Any, query: dict[str, str]) -> DeleteOptions:
        """From a request's body and query; the body counts more. Raises :class:`BadRequest`."""
        if not isinstance(body, dict):
            raise BadRequest("DeleteOptions must be an object")
        if body.get("kind", "DeleteOptions") != "DeleteOptions":
            raise BadRequest("the body of a DELETE must be DeleteOptions")
        conditions = body.get("preconditions") or {}
        if not isinstance(conditions, dict):
            raise BadRequest("DeleteOptions: preconditions must be an object")
        uid, version = conditions.get("uid"), conditions.get("resourceVersion")
        if not all(value is None or isinstance(value, str) for value in (uid, version)):
            raise BadRequest("DeleteOptions: uid and resourceVersion must be strings")
        policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
        orphan = body.get("orphanDependents")
        if orphan is None:
            orphan = {"true": True, "false": False}.get(query.get("orphanDependents", ""))
        if orphan is not None:
            if policy:
                raise BadRequest(
                    "DeleteOptions: orphanDependents and propagationPolicy exclude each other"
                )
            policy = "Orphan" if orphan else "Background"
        if policy and not (isinstance(policy, str) and policy in _POLICIES):
            raise BadRequest(
                f'DeleteOptions: propagationPolicy: "{str(policy)[:40]}" must be Background, '
                "Foreground or Orphan"
            )
        dry_run = body.get("dryRun") or []
        if dry_run not in ([], ["All"]):
            raise BadRequest("DeleteOptions: dryRun must be All")
        return cls(uid, version, policy, _grace(body, query), bool(dry_run))


def _grace(body: Object, query: dict[str, str]) -> int | None:
    grace: Any = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    if isinstance(grace, str) and grace.isascii() and grace.isdecimal() and len(grace) < 11:
        grace = int(grace)
    if grace is None:
        return None
    if not isinstance(grace, int) or isinstance(grace, bool) or not 0 <= grace < _MAX_GRACE:
        raise BadRequest("DeleteOptions: gracePeriodSeconds must be a number of 0 or more")
    return grace


def marked(kind: Kind, obj: Object, options: DeleteOptions, now: float) -> Object | None:
    """The object as it waits for its end, or None when it goes at once; ``now`` is wall time."""
    meta = {**obj["metadata"]}
    finalizers = [f for f in meta.get("finalizers", ()) if f not in (FOREGROUND, ORPHAN)]
    if options.propagation:
        chosen = _POLICIES[options.propagation]
        finalizers += [chosen] if chosen else []
    else:
        finalizers = list(meta.get("finalizers", ()))
    grace = _grace_of(kind, obj, options)
    if not finalizers and not grace and kind != NAMESPACE:
        return None
    meta["finalizers"] = finalizers
    if not finalizers:
        del meta["finalizers"]
    if "deletionTimestamp" not in meta or grace < meta.get("deletionGracePeriodSeconds", 0):
        if "deletionTimestamp" not in meta and "generation" in meta:
            meta["generation"] += 1
        meta["deletionTimestamp"] = rfc3339(now + grace)
        meta["deletionGracePeriodSeconds"] = grace
    waiting = {**obj, "metadata": meta}
    if kind == NAMESPACE:
        waiting["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    return waiting


def _grace_of(kind: Kind, obj: Object, options: DeleteOptions) -> int:
    """Seconds that are left to a Pod that runs somewhere; all else has none."""
    if (kind.group, kind.plural) != (POD.group, POD.plural):
        return 0
    spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    wanted = options.grace
    if wanted is None:
        wanted = spec.get("terminationGracePeriodSeconds", 30)
    before = obj["metadata"].get("deletionGracePeriodSeconds", wanted)
    return min(int(wanted), int(before))


def drained(meta: Object) -> bool:
    """Nothing holds the object any more that was marked for deletion."""
    return (
        "deletionTimestamp" in meta
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
    )
