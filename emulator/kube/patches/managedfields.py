"""``metadata.managedFields``: who owns which fields, kept with every write.

An entry belongs to a manager, an operation (Apply or Update) and a subresource. A write that is
no apply takes what it changes from all others. The cost of an ordinary write is one comparison
that descends only where the two states differ; sets are shared between objects of one shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from emulator.kube.kinds.structure import Node
from emulator.kube.patches.fieldset import NONE, Paths, compare, decode, encode

Entries = list[dict[str, Any]]
APPLY, UPDATE = "Apply", "Update"
MAX_UPDATERS = 10  # entries of updates before the oldest are merged, as in the API server
ANCIENT = "ancient-changes"
_MAX_NAME = 128


class Writer(NamedTuple):
    """Who writes: ``time`` is an RFC 3339 time, ``subresource`` "" for the object itself."""

    manager: str
    operation: str
    api_version: str
    time: str
    subresource: str = ""

    def owns(self, entry: dict[str, Any]) -> bool:
        named: tuple[str, str, str] = (
            entry["manager"],
            entry["operation"],
            entry.get("subresource", ""),
        )
        return named == (self.manager, self.operation, self.subresource)

    def entry(self, paths: Paths) -> dict[str, Any]:
        made = {
            "apiVersion": self.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(paths),
            "manager": self.manager,
            "operation": self.operation,
            "time": self.time,
        }
        return made | {"subresource": self.subresource} if self.subresource else made


def manager_name(field_manager: str, client: str) -> str:
    """The manager of a write: as named by the client, or from its User-Agent."""
    name = field_manager or client.partition("/")[0][:_MAX_NAME]
    return name if name.isprintable() and name else "unknown"


def starting_with(sent: Any, live: Entries) -> Entries:
    """The entries before the write: a client may edit them, and resets them with an empty list.

    What cannot be understood counts as not sent, so that clients who know nothing of
    managedFields do not destroy them.
    """
    if sent is None or sent == live:
        return live
    if sent in ([], [{}]):
        return []
    try:
        return [_entry(each) for each in sent] or live
    except (KeyError, TypeError, ValueError):
        return live


def _entry(sent: dict[str, Any]) -> dict[str, Any]:
    """Raises ``KeyError``, ``TypeError`` or ``ValueError`` for what is no entry."""
    if sent["operation"] not in (APPLY, UPDATE) or sent["fieldsType"] != "FieldsV1":
        raise ValueError("not an entry of managedFields")
    for key in ("apiVersion", "manager", "subresource", "time"):
        if not isinstance(sent.get(key, ""), str):
            raise TypeError(key)
    writer = Writer(
        sent.get("manager", ""),
        sent["operation"],
        sent["apiVersion"],
        sent.get("time", ""),
        sent.get("subresource", ""),
    )
    return writer.entry(decode(sent["fieldsV1"]))


def updated(
    entries: Entries, old: dict[str, Any], new: dict[str, Any], root: Node, writer: Writer
) -> Entries:
    """The entries after a write that is no apply."""
    changes = compare(old, new, root)
    if not changes:
        return entries
    mine = NONE
    own: dict[str, Any] | None = None
    kept: Entries = []
    for entry in entries:
        if own is None and writer.owns(entry):
            own, mine = entry, paths_of(entry)
            continue
        left = without(entry, changes.changed, changes.removed)
        if left is not None:
            kept.append(left)
    if own is not None and changes.changed <= mine and mine.isdisjoint(changes.removed):
        kept.append({**own, "time": writer.time})
    elif paths := (mine | changes.changed) - changes.removed:
        kept.append(writer.entry(paths))
    return ordered(kept)


def paths_of(entry: dict[str, Any]) -> Paths:
    try:
        return decode(entry["fieldsV1"])
    except (KeyError, ValueError):
        return NONE


def without(entry: dict[str, Any], *lost: set[Any]) -> dict[str, Any] | None:
    """The entry without these paths; None when none is left."""
    paths = paths_of(entry)
    if all(paths.isdisjoint(each) for each in lost):
        return entry
    left = paths.difference(*lost)
    return {**entry, "fieldsV1": encode(left)} if left else None


def ordered(entries: Iterable[dict[str, Any]]) -> Entries:
    """In the API server's order, with at most :data:`MAX_UPDATERS` entries of updates."""
    found = list(entries)
    if len(found) > 1:
        found.sort(key=_order)
    if len(found) > MAX_UPDATERS:
        updates = [entry for entry in found if entry["operation"] == UPDATE]
        if len(updates) > MAX_UPDATERS:
            return _merge_oldest(found, updates)
    return found


def _order(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    return (
        entry["operation"],
        entry.get("time", ""),
        entry["manager"],
        entry.get("subresource", ""),
    )


def _merge_oldest(entries: Entries, updates: Entries) -> Entries:
    """The oldest updates become one entry per subresource that says no more who it was."""
    rest = [entry for entry in entries if entry["operation"] != UPDATE]
    merged: dict[str, dict[str, Any]] = {}
    # The merged entries count too; two subresources exist at most beside the object itself.
    surplus = updates[: len(updates) - MAX_UPDATERS + 1]
    for entry in [e for e in updates if e["manager"] == ANCIENT and e not in surplus] + surplus:
        part = entry.get("subresource", "")
        before = paths_of(merged[part]) if part in merged else NONE
        merged[part] = {
            **entry,
            "manager": ANCIENT,
            "fieldsV1": encode(before | paths_of(entry)),
        }
    young = [e for e in updates if e not in surplus and e["manager"] != ANCIENT]
    return sorted([*rest, *merged.values(), *young], key=_order)
