"""The patch forms: JSON merge patch (RFC 7396) and JSON patch (RFC 6902); dispatch to the rest."""

from __future__ import annotations

from typing import Any

import jsonpatch
import orjson

from beskar7.api.errors import BadRequest, Invalid, TooLarge, UnsupportedMediaType
from beskar7.api.objects import Object
from emulator.kube.api.depth import check_depth
from emulator.kube.kinds.structure import Node
from emulator.kube.patches.strategic import strategic_merge_patch

CONTENT_TYPES = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
MAX_OPERATIONS = 10_000
MAX_COPIED = 3 * 1024 * 1024  # bytes; the API server's own limit
_JSON_OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})


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
        return _run(target, patch)
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


def _run(target: Object, patch: list[Any]) -> Any:
    if not any(operation["op"] == "copy" for operation in patch):
        return jsonpatch.JsonPatch(patch).apply(target)
    # A few copies of an object into itself would fill the memory: each doubles it.
    result, copied = orjson.loads(orjson.dumps(target)), 0
    for operation in patch:
        if operation["op"] == "copy" and isinstance(operation.get("from"), str):
            source = jsonpatch.JsonPointer(operation["from"]).resolve(result)
            copied += len(orjson.dumps(source))
            if copied > MAX_COPIED:
                raise TooLarge(f"a JSON patch may copy at most {MAX_COPIED} bytes")
        result = jsonpatch.JsonPatch([operation]).apply(result, in_place=True)
    return result


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def apply_patch(target: Object, patch: Any, form: str, structure: Node | None = None) -> Object:
    """``form`` is merge, json or strategic; ``structure`` is that of a built-in kind.

    Raises :class:`UnsupportedMediaType` for strategic merge of a custom resource, which has no
    such structure; :class:`BadRequest` and :class:`Invalid` as the form's function does.
    """
    if form == "json":
        patched = json_patch(target, patch)
        check_depth(patched, "the patched object")  # merging cannot nest deeper than its parts
    elif form == "merge":
        patched = merge_patch(target, _object(patch))
    elif form == "strategic" and structure is not None:
        patched = strategic_merge_patch(target, _object(patch), structure)
    else:
        taken = [name for name, word in CONTENT_TYPES.items() if word != "strategic"]
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
