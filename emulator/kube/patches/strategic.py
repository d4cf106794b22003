"""Strategic merge patch: a merge patch that joins the lists of built-in kinds by their keys.

Directives: ``$patch`` (delete, replace, merge), ``$retainKeys``, ``$deleteFromPrimitiveList/F``,
``$setElementOrder/F``. Neither argument is changed; the result may share parts with both.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeVar

import orjson

from beskar7.api.errors import BadRequest
from emulator.kube.kinds.structure import Node

E = TypeVar("E", bound=Hashable)
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(target: Any, patch: dict[str, Any], node: Node) -> dict[str, Any]:
    """``node`` is the structure of the place. Raises :class:`BadRequest` for a patch that is not
    well-formed: an unknown directive, or a list item without its merge key."""
    directive = patch.get("$patch", "merge")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise BadRequest(f"$patch: {_show(directive)} must be delete, replace or merge")
    merged = dict(target) if isinstance(target, dict) else {}
    _retain_keys(merged, patch)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            gone, old = _list(key, value), merged.get(field)
            if isinstance(old, list):
                names = {_plain(item) for item in gone}
                merged[field] = [item for item in old if _plain(item) not in names]
    for key, value in patch.items():
        if key.startswith("$"):
            if not (key in ("$patch", "$retainKeys") or key.startswith((_DELETE_FROM, _ORDER))):
                raise BadRequest(f"unknown directive of a strategic merge patch: {key[:80]}")
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value, node.child(key), key)
    for key, value in patch.items():
        if key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            old = target.get(field) if isinstance(target, dict) else None
            if isinstance(merged.get(field), list):
                merged[field] = _in_order(
                    merged[field],
                    _list(key, value),
                    old if isinstance(old, list) else [],
                    node.child(field),
                )
    return merged


def _merge(old: Any, new: Any, node: Node, field: str) -> Any:
    if isinstance(new, dict):
        return strategic_merge_patch(old, new, node)
    if not isinstance(new, list):
        return new
    if "merge" not in node.strategies:
        return [item for item in new if not _is_directive(item)]
    before = old if isinstance(old, list) else []
    if node.merge_key:
        merged = _merge_items(before, new, node, field)
        order = [item for item in new if not _is_directive(item)]
    else:
        known = {_identity(item, node): item for item in [*new, *before]}
        merged, order = list(known.values()), new
    return _in_order(merged, order, before, node)


def _is_directive(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") in ("delete", "replace")


def _merge_items(old: list[Any], new: list[Any], node: Node, field: str) -> list[Any]:
    """New items at the end; the caller puts them into their order."""
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in new):
        return [item for item in new if not _is_directive(item)]
    merged: dict[bytes, Any] = {}
    doubles: list[Any] = []  # two ports may share a number: only the first is patched
    for item in old:
        if merged.setdefault(_identity(item, node), item) is not item:
            doubles.append(item)
    for item in new:
        if not isinstance(item, dict) or node.merge_key not in item:
            raise BadRequest(f'an item of the list "{field}" has no merge key "{node.merge_key}"')
        name = _identity(item, node)
        if item.get("$patch") == "delete":
            merged.pop(name, None)
            if doubles:
                doubles = [each for each in doubles if _identity(each, node) != name]
        else:
            merged[name] = strategic_merge_patch(merged.get(name), item, node.item)
    return [*merged.values(), *doubles]


def _in_order(merged: list[Any], wanted: list[Any], before: list[Any], node: Node) -> list[Any]:
    """``wanted`` items in their order, the others between them where they stood before."""
    names = [_identity(item, node) for item in merged]
    if len(set(names)) < len(names):
        return merged
    by_name = dict(zip(names, merged, strict=True))
    asked = [name for item in wanted if (name := _identity(item, node)) in by_name]
    asked = list(dict.fromkeys(asked))
    chosen = set(asked)
    old = {name: at for at, name in enumerate(_identity(item, node) for item in before)}
    rest = [name for name in names if name not in chosen]
    rest.sort(key=lambda name: old.get(name, len(old)))
    return [by_name[name] for name in interleave(rest, asked, list(old))]


def interleave(
    rest: Sequence[E], asked: Sequence[E], before: Sequence[E], *, rest_first: bool = False
) -> list[E]:
    """Both sequences in one, each in its own order; of two items, the one that came first
    ``before``, and if that is not known the one ``asked`` for, unless ``rest_first``."""
    at = {name: index for index, name in enumerate(before)}
    out: list[E] = []
    i = j = 0
    while i < len(rest) and j < len(asked):
        left, right = at.get(rest[i]), at.get(asked[j])
        if rest_first if left is None or right is None else left < right:
            out.append(rest[i])
            i += 1
        else:
            out.append(asked[j])
            j += 1
    return [*out, *rest[i:], *asked[j:]]


def _identity(item: Any, node: Node) -> bytes:
    if node.merge_key and isinstance(item, dict):
        item = item.get(node.merge_key)
    return _plain(item)


def _plain(item: Any) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _retain_keys(merged: dict[str, Any], patch: dict[str, Any]) -> None:
    if "$retainKeys" not in patch:
        return
    kept = _list("$retainKeys", patch["$retainKeys"])
    extra = [k for k in patch if not k.startswith("$") and patch[k] is not None and k not in kept]
    if extra:
        raise BadRequest(f"$retainKeys does not name what the patch sets: {extra[0][:80]}")
    for key in [key for key in merged if key not in kept]:
        del merged[key]


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{name[:80]} must be a list, not {_show(value)}")
    return value


def _show(value: Any) -> str:
    return orjson.dumps(value).decode()[:80]
