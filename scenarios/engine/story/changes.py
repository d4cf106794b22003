"""What a write changed, in a few words: owner, state and the like first, then other fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from beskar7.api.kinds import EVENT, LEASE
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.history import consumer_name, dig, removes

SHOWN = 3
"""Changed fields that are told of one write, besides those that have a name of their own."""
MAX_VALUE = 40
NAMED = {
    "owner": ("spec", "consumerRef", "name"),
    "state": ("status", "state"),
    "phase": ("status", "phase"),
    "ready": ("status", "ready"),
    "deletion": ("metadata", "deletionTimestamp"),
    "finalizers": ("metadata", "finalizers"),
    "holder": ("spec", "holderIdentity"),
}
_UNTOLD = (
    *("metadata", "kind", "apiVersion", "spec.consumerRef", "spec.holderIdentity"),
    *("status.state", "status.phase", "status.ready"),
)
"""Told under a name above, or of no interest."""
_STATUS_VERBS = ("update_status", "patch_status")


def change(record: WriteRecord) -> str:
    """What became of the object, or what a refused write would have made of it."""
    after = record.object
    if record.kind == EVENT.kind and isinstance(after, dict):
        message = " ".join(str(after.get("message") or "").split())
        return f"{after.get('reason')}: {message}"
    if record.verb == "delete" and record.outcome == "ok" and removes(record):
        return "gone"
    said = list(_named(record))
    if record.verb != "create" and record.kind != LEASE.kind and not said:
        others = list(_others(*_halves(record)))
        said += others[:SHOWN]
        if len(others) > SHOWN:
            said.append(f"and {len(others) - SHOWN} more")
    if record.outcome == "ok" and removes(record):
        said.append("gone")
    if record.outcome == "ok" and record.verb != "create" and not said:
        said = ["renewed" if record.kind == LEASE.kind else "nothing"]
    return ", ".join(said) + _stale(record)


def _halves(record: WriteRecord) -> tuple[Any, Any]:
    """Both objects as far as the write was about them: who writes a status writes no spec."""
    before, after = record.previous, record.object
    if record.outcome == "ok" or not isinstance(before, dict) or not isinstance(after, dict):
        return before, after
    half = "status" if record.verb in _STATUS_VERBS else "spec"
    return {half: before.get(half)}, {half: after.get(half)}


def _named(record: WriteRecord) -> Iterator[str]:
    before, after = record.previous, record.object
    # What is sent to one half of an object changes nothing of the other.
    status_only = record.verb in _STATUS_VERBS
    partial = record.outcome != "ok" and record.verb.startswith("patch")
    for name, path in NAMED.items():
        old, new = dig(before, *path), dig(after, *path)
        half = (path[0] == "status") == status_only or record.outcome == "ok"
        if old == new or not half or (partial and new is None):
            continue
        if name == "owner" and (label := consumer_name(after)) != "":
            new = label
        if name == "deletion":
            yield "asked to go" if new else "not to go after all"
        elif name == "finalizers":
            if old or new:
                yield "finalizer set" if new else "finalizer taken off"
        else:
            yield f"{name} {_short(old)} -> {_short(new)}"


def _others(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Changed fields below spec and status, as ``field old -> new``; lists as a whole."""
    if path in _UNTOLD:
        return
    if isinstance(before, dict) and isinstance(after, dict) and path.count(".") < 2:
        for name in sorted({*before, *after}):
            deeper = f"{path}.{name}" if path else str(name)
            yield from _others(before.get(name), after.get(name), deeper)
    elif before != after:
        name = path.partition(".")[2] or path
        if name == "conditions":
            yield from _conditions(before, after)
        elif isinstance(before or after, dict | list):
            yield f"{name} changed"
        else:
            yield f"{name} {_short(before)} -> {_short(after)}"


def _conditions(before: Any, after: Any) -> Iterator[str]:
    def known(conditions: Any) -> dict[str, dict[str, Any]]:
        return {str(c.get("type")): c for c in conditions or () if isinstance(c, dict)}

    old, new = known(before), known(after)
    for name, condition in sorted(new.items()):
        earlier = old.get(name, {})
        status, reason = condition.get("status"), condition.get("reason")
        if (status, reason) != (earlier.get("status"), earlier.get("reason")):
            yield f"{name} {status}" + (f" ({reason})" if reason else "")
        elif (message := condition.get("message")) != earlier.get("message"):
            yield f"{name}: {_short(message)}"


def _stale(record: WriteRecord) -> str:
    """That a refused update was made from an older object than the one it met."""
    if record.outcome != "Conflict" or record.verb == "create":
        return ""
    sent = dig(record.object, "metadata", "resourceVersion")
    met = dig(record.previous, "metadata", "resourceVersion")
    if not sent or not met or sent == met:
        return ""
    return f" (from version ...{str(sent)[-4:]}, it was at ...{str(met)[-4:]})"


def _short(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."
