"""What an operator writes in a rehearsal, in words: who, what, and which fields changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from beskar7.api.kinds import EVENT, SECRET
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.history import MANAGER_AGENT
from scenarios.engine.targets import CLIENT

OTHERS = (MANAGER_AGENT, CLIENT, "kubelet", "kube-")
"""Beginnings of the names of those that write by themselves: the managers, the scenario, and the
parts of Kubernetes. kubectl's begins with its own."""
SHOWN_FIELDS = 4
SHOWN = 40
UNTOLD = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")
"""Fields of the metadata that change by themselves."""


def by_operator(record: WriteRecord) -> bool:
    """Events are told by all kinds of parts, and mend nothing."""
    return (
        bool(record.client) and not record.client.startswith(OTHERS) and record.kind != EVENT.kind
    )


def described(record: WriteRecord) -> str:
    """``kubectl: patch ConfigMap beskar7-system/beskar7-config: data.x "0" -> "5"``."""
    who = record.client.partition("/")[0]
    where = f"{record.namespace}/" if record.namespace not in ("", "default") else ""
    said = f"{who}: {record.verb.replace('_', ' ')} {record.kind} {where}{record.name}"
    if record.outcome != "ok":
        return f"{said}, refused: {record.outcome}"
    if record.verb == "delete" or record.previous is None or record.kind == SECRET.kind:
        return said  # What is in a Secret is not in the log.
    changes = list(_changes(record.previous, record.object or {}, ()))
    shown = ", ".join(changes[:SHOWN_FIELDS])
    more = f" and {len(changes) - SHOWN_FIELDS} more" if len(changes) > SHOWN_FIELDS else ""
    return f"{said}: {shown}{more}" if shown else f"{said}, which changed nothing"


def _changes(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Each field that differs, to the leaves of mappings."""
    if path[:1] == ("metadata",) and path[-1] in UNTOLD:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _changes(old.get(name), new.get(name), (*path, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _changes(was, now, (*path, str(index)))
    elif old != new:
        yield f"{'.'.join(path)} {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = orjson.dumps(value).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
