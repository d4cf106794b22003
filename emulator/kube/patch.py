"""The patch forms: JSON merge patch (RFC 7396), JSON patch (RFC 6902), strategic merge."""

from __future__ import annotations

from typing import Any

import jsonpatch

from beskar7.api.errors import BadRequest, Invalid, UnsupportedMediaType
from beskar7.api.objects import Object

CONTENT_TYPES = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
MAX_OPERATIONS = 10_000
_JSON_OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})

# Lists that strategic merge joins by a key; every other list is replaced whole.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "conditions": "type",
    "ownerReferences": "uid",
}
_MERGED_SETS = frozenset({"finalizers"})


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396. Neither argument is changed; the result may share parts with both."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_merge_patch(target: Any, patch: Any, field: str = "") -> Any:
    """Merge patch, with the lists of built-in kinds joined by their merge key.

    Knows ``$patch: delete|replace``, ``$deleteFromPrimitiveList``; ``$setElementOrder`` and
    ``$retainKeys`` are dropped. Raises :class:`BadRequest` for a list item without its key.
    """
    if isinstance(patch, dict):
        if patch.get("$patch") == "replace":
            return {key: value for key, value in patch.items() if key != "$patch"}
        if patch.get("$patch") == "delete":
            return {}
        merged = dict(target) if isinstance(target, dict) else {}
        for key, value in patch.items():
            if key.startswith("$deleteFromPrimitiveList/"):
                name = key.partition("/")[2]
                old = merged.get(name) or []
                merged[name] = [item for item in old if item not in (value or [])]
            elif key.startswith("$"):
                continue
            elif value is None:
                merged.pop(key, None)
            else:
                merged[key] = strategic_merge_patch(merged.get(key), value, key)
        return merged
    if isinstance(patch, list) and isinstance(target, list):
        if field in _MERGED_SETS:
            return target + [item for item in patch if item not in target]
        if field in _MERGE_KEYS:
            return _merge_list(target, patch, _MERGE_KEYS[field], field)
    return patch


def _merge_list(target: list[Any], patch: list[Any], key: str, field: str) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    merged = list(target)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise BadRequest(f'an item of the list "{field}" has no merge key "{key}"')
        at = next(
            (
                index
                for index, old in enumerate(merged)
                if isinstance(old, dict) and old.get(key) == item[key]
            ),
            None,
        )
        if item.get("$patch") == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(strategic_merge_patch(None, item))
        else:
            merged[at] = strategic_merge_patch(merged[at], item)
    return merged


def json_patch(target: Object, patch: Any) -> Any:
    """RFC 6902, on a copy. Raises :class:`BadRequest` (malformed) or :class:`Invalid` (fails)."""
    if not isinstance(patch, list):
        raise BadRequest("a JSON patch is a list of operations")
    if len(patch) > MAX_OPERATIONS:
        raise BadRequest(f"a JSON patch of {len(patch)} operations: at most {MAX_OPERATIONS}")
    for index, operation in enumerate(patch):
        if not isinstance(operation, dict) or operation.get("op") not in _JSON_OPERATIONS:
            raise BadRequest(f"JSON patch: operation {index} has no valid op")
        if not isinstance(operation.get("path"), str):
            raise BadRequest(f"JSON patch: operation {index} has no path")
    try:
        return jsonpatch.JsonPatch(patch).apply(target)
    except jsonpatch.InvalidJsonPatch as error:
        raise BadRequest(f"JSON patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise Invalid(
            "the server rejected our request due to an error in our request: "
            f"JSON patch: {_first_line(error)}"
        ) from error
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        # The library lets these through where a path runs into a scalar.
        raise Invalid(f"JSON patch cannot be applied: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def apply_patch(target: Object, patch: Any, form: str, *, custom: bool) -> Object:
    """``form`` is merge, json, strategic or apply.

    Raises :class:`UnsupportedMediaType` for strategic merge of a custom resource and for
    server-side apply, :class:`BadRequest` and :class:`Invalid` as the form's function does.
    """
    if form == "json":
        patched = json_patch(target, patch)
    elif form == "merge":
        patched = merge_patch(target, _object(patch))
    elif form == "strategic" and not custom:
        patched = strategic_merge_patch(target, _object(patch))
    else:
        taken = [name for name, word in CONTENT_TYPES.items() if word in ("json", "merge")]
        if not custom:
            taken.append("application/strategic-merge-patch+json")
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format - {form} patch - accepted media "
            f"types include: {', '.join(sorted(taken))}"
        )
    if not isinstance(patched, dict):
        raise BadRequest("the patch does not leave an object")
    return patched


def _object(patch: Any) -> Object:
    if not isinstance(patch, dict):
        raise BadRequest("a merge patch is an object")
    return patch
