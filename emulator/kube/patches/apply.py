"""Server-side apply: merge a configuration into the live object, field by field and by owner."""

from __future__ import annotations

from typing import Any

import orjson

from beskar7.api.errors import ApiError, BadRequest, Conflict
from beskar7.api.objects import Object
from emulator.kube.kinds.structure import Node
from emulator.kube.patches import fieldset
from emulator.kube.patches.fieldset import NONE, Path, Paths
from emulator.kube.patches.managedfields import APPLY, Entries, Writer, ordered, paths_of, without
from emulator.kube.patches.strategic import interleave

KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATION: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def apply(
    live: Object | None, config: Object, root: Node, writer: Writer, *, force: bool, status: bool
) -> tuple[Object, Entries]:
    """The object with the configuration applied, not yet defaulted, and its managedFields.

    ``status`` says that the kind has a status of its own: then the object's apply leaves it
    alone, and that of the subresource leaves the rest. Raises :class:`Conflict` with a cause for
    each field that another manager owns with another value, unless ``force``; and
    :class:`BadRequest` for list items without their keys.
    """
    config = _concerned(config, writer.subresource, status)
    _check_lists(config, root, "")
    before = live or {}
    entries: Entries = before.get("metadata", {}).get("managedFields") or []
    claimed = fieldset.applied_set(config, root)
    own = next((entry for entry in entries if writer.owns(entry)), None)
    others = [entry for entry in entries if entry is not own]
    last = paths_of(own) if own else NONE
    merged = merge_into(before, config, root)
    lost = last - fieldset.with_parents(claimed.union(*(paths_of(entry) for entry in others)))
    if lost:
        merged = _prune(merged, root, (), lost)
    changes = fieldset.compare(before, merged, root)
    conflicts = {
        index: found
        for index, entry in enumerate(others)
        if (found := paths_of(entry) & changes.changed)
    }
    if conflicts and not force:
        allowed = _own_by_client(before, root) if writer.manager == KUBECTL else NONE
        refused = [(others[index], found - allowed) for index, found in conflicts.items()]
        if any(found for _, found in refused):
            raise _conflict([(entry, found) for entry, found in refused if found])
    kept = [without(entry, changes.changed, changes.removed) for entry in others]
    left = [entry for entry in kept if entry is not None]
    if own is not None and claimed == last and not changes:
        left.append(own)
    elif claimed:
        left.append(writer.entry(claimed))
    if writer.manager == KUBECTL and not writer.subresource:
        _sync_last_applied(merged, config)
    return merged, ordered(left)


def _concerned(config: Object, subresource: str, status: bool) -> Object:
    if subresource == "status":
        return {key: value for key, value in config.items() if key in ("apiVersion", "status")}
    if status:
        return {key: value for key, value in config.items() if key != "status"}
    return config


def merge_into(live: Any, config: Any, node: Node) -> Any:
    """Neither argument is changed; the result may share parts with both."""
    shape = node.shape(config)
    if shape == "map":
        if not isinstance(live, dict):
            live = {}
        merged = dict(live)
        for key, value in config.items():
            child = node.child(key)
            merged[key] = merge_into(live[key], value, child) if key in live else value
        return merged
    if shape in ("list", "set") and isinstance(live, list):
        before = fieldset.members(node, shape, live)
        after = fieldset.members(node, shape, config)
        if before is None or after is None:
            return config
        items = {
            element: merge_into(before[element], value, node.item) if element in before else value
            for element, value in after.items()
        }
        only_live = [element for element in before if element not in items]
        order = interleave(only_live, list(items), list(before), rest_first=True)
        return [items[element] if element in items else before[element] for element in order]
    return config


def _prune(value: Any, node: Node, path: Path, lost: Paths) -> Any:
    """The value without the lost fields; what this empties goes too."""
    shape = node.shape(value)
    if shape == "map":
        kept: dict[str, Any] = {}
        for key, child in value.items():
            at = (*path, f"f:{key}")
            if at in lost:
                continue
            pruned = _prune(child, node.child(key), at, lost)
            if pruned or not isinstance(child, dict | list) or not child:
                kept[key] = pruned
        return kept
    if shape in ("list", "set"):
        items = fieldset.members(node, shape, value)
        if items is None:
            return value
        return [
            _prune(child, node.item, (*path, element), lost)
            for element, child in items.items()
            if (*path, element) not in lost
        ]
    return value


def _check_lists(value: Any, node: Node, where: str) -> None:
    """An applied list must say which item is which."""
    shape = node.shape(value)
    if shape in ("list", "set") and fieldset.members(node, shape, value) is None:
        keys = ", ".join(node.keys) or "its value"
        raise BadRequest(
            f"failed to create typed patch object: {where or '.'}: the items of this list are "
            f"told apart by {keys}, which one lacks or two share"
        )
    if shape == "map":
        for key, child in value.items():
            _check_lists(child, node.child(key), f"{where}.{key}")
    elif shape == "list":
        for index, child in enumerate(value):
            _check_lists(child, node.item, f"{where}[{index}]")


def _own_by_client(live: Object, root: Node) -> Paths:
    """What ``kubectl apply`` without --server-side wrote, as far as it still stands: kubectl's
    server-side apply may take it over."""
    try:
        last = orjson.loads(live["metadata"]["annotations"][LAST_APPLIED])
        applied = fieldset.applied_set(last, root)
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
        return NONE
    changed = fieldset.compare(merge_into(live, last, root), live, root)
    return frozenset(applied - changed.changed - changed.removed) | {_ANNOTATION}


def _sync_last_applied(merged: Object, config: Object) -> None:
    """Client-side apply can go on after a server-side one: its annotation follows."""
    meta = merged.get("metadata") or {}
    annotations = meta.get("annotations") or {}
    if LAST_APPLIED in annotations and LAST_APPLIED not in (
        config.get("metadata", {}).get("annotations") or {}
    ):
        text = orjson.dumps(config, option=orjson.OPT_SORT_KEYS).decode() + "\n"
        merged["metadata"] = {**meta, "annotations": {**annotations, LAST_APPLIED: text}}


def _conflict(found: list[tuple[dict[str, Any], Paths]]) -> ApiError:
    by_manager = {
        _named(entry): sorted(fieldset.shown(path) for path in paths) for entry, paths in found
    }
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
        for manager, paths in sorted(by_manager.items())
        for path in paths
    ]
    if len(causes) == 1:
        said = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        listed = "\n".join(
            f"conflicts with {manager}:" + "".join(f"\n- {path}" for path in paths)
            for manager, paths in sorted(by_manager.items())
        )
        said = f"{len(causes)} conflicts: {listed}"
    return Conflict(f"Apply failed with {said}", details={"causes": causes})


def _named(entry: dict[str, Any]) -> str:
    name = orjson.dumps(entry["manager"]).decode()
    if entry.get("subresource"):
        name += f' with subresource "{entry["subresource"]}"'
    if entry["operation"] != APPLY:
        name += f" using {entry['apiVersion']}"
        if entry.get("time"):
            name += f" at {entry['time']}"
    return name
