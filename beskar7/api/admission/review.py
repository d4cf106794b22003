"""``AdmissionReview`` of ``admission.k8s.io/v1``: from an API server's question to its answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonpatch

from beskar7.api import admission
from beskar7.api.admission import Context, Operation, Reader, Rules
from beskar7.api.admission.context import dig, mapping, text
from beskar7.api.errors import ApiError, BadRequest
from beskar7.api.objects import Object

API_VERSION = "admission.k8s.io/v1"
_OPERATIONS: dict[str, Operation] = {"CREATE": "CREATE", "UPDATE": "UPDATE", "DELETE": "DELETE"}


def answer(rules: Rules, mutating: bool, review: Any, reader: Reader, now: float) -> Object:
    """The review to send back; ``now`` is UTC seconds.

    Raises :class:`BadRequest` for what is no review. A review that does not fit its path is
    answered like any other, with a refusal: the API server can tell its client why.
    """
    request = mapping(review, "request")
    uid = text(request, "uid")
    if text(review, "kind") != "AdmissionReview" or text(review, "apiVersion") != API_VERSION:
        raise BadRequest(f"the body must be an AdmissionReview of {API_VERSION}")
    if not uid:
        raise BadRequest("the AdmissionReview has no request.uid")
    try:
        response = _mutated(rules, request) if mutating else _judged(rules, request, reader, now)
    except ApiError as error:
        response = {"allowed": False, "status": error.status()}
    return {
        "apiVersion": API_VERSION,
        "kind": "AdmissionReview",
        "response": {"uid": uid, **response},
    }


def _mutated(rules: Rules, request: Object) -> Object:
    if _operation(request) == "DELETE":
        return {"allowed": True}
    obj = _object(rules, request, "object")
    filled = rules.default(obj)
    if filled is obj:
        return {"allowed": True}
    patch = json.dumps(jsonpatch.make_patch(obj, filled).patch).encode()
    return {
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(patch).decode(),
    }


def _judged(rules: Rules, request: Object, reader: Reader, now: float) -> Object:
    operation = _operation(request)
    new = None if operation == "DELETE" else _object(rules, request, "object")
    old = None if operation == "CREATE" else _object(rules, request, "oldObject")
    context = Context(reader, now, dig(request, "dryRun") is True)
    found = admission.validate(operation, new, old, context)
    error = admission.refusal(operation, rules.kind, new or old or {}, found)
    response: Object = {"allowed": error is None}
    if error is not None:
        response["status"] = error.status()
    if found.warnings:
        response["warnings"] = found.warnings
    return response


def _operation(request: Object) -> Operation:
    given = text(request, "operation")
    if given not in _OPERATIONS:
        known = ", ".join(_OPERATIONS)
        raise BadRequest(f'request.operation: "{given[:40]}" must be one of {known}')
    return _OPERATIONS[given]


def _object(rules: Rules, request: Object, field: str) -> Object:
    obj = mapping(request, field)
    kind = (text(obj, "apiVersion"), text(obj, "kind"))
    expected = (rules.kind.api_version, rules.kind.kind)
    if kind != expected:
        raise BadRequest(
            f"request.{field}: this path is for {' '.join(expected)}, not for "
            f"{' '.join(kind)[:120] or 'nothing'}"
        )
    return obj
