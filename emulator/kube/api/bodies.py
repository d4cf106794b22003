"""What a writing request says beside its path: its parameters, and a body checked for doubles."""

from __future__ import annotations

import re
from typing import Any

import orjson
from aiohttp import web

from beskar7.api.errors import BadRequest, Invalid
from emulator.kube.api import jsonkeys, yamlbody
from emulator.kube.api.http import YAML_TYPES, Target, decode_body
from emulator.kube.store.failures import Cause, forbidden_field, required
from emulator.kube.store.pipeline import Call

APPLY_TYPE = "application/apply-patch+yaml"
_MAX_AGENT = 256  # characters of a User-Agent that are kept
_MAX_MANAGER = 128
_VALIDATION = ("Ignore", "Warn", "Strict")
_SPACED_KEY = re.compile(rb'"\s+:')


def read_call(request: web.BaseRequest, target: Target, form: str = "") -> Call:
    """``form`` is that of a patch. Raises :class:`BadRequest` and :class:`Invalid`."""
    query = target.query
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise BadRequest(f'dryRun: "{dry_run[:40]}" must be All')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATION:
        raise BadRequest(f'fieldValidation: "{validation[:40]}" must be Ignore, Warn or Strict')
    manager = query.get("fieldManager", "")
    causes: list[Cause] = []
    if len(manager) > _MAX_MANAGER or not manager.isprintable():
        hint = f"Invalid value: must be at most {_MAX_MANAGER} printable characters"
        causes.append(Cause("fieldManager", hint))
    if form == "apply" and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if form and form != "apply" and "force" in query:
        causes.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if causes:
        said = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
        raise Invalid(f'PatchOptions.meta.k8s.io "" is invalid: {said}')
    return Call(
        client=request.headers.get("User-Agent", "")[:_MAX_AGENT],
        dry_run=dry_run == "All",
        field_validation=validation,
        field_manager=manager,
        force=form == "apply" and target.flag("force"),
    )


def read_document(content_type: str, body: bytes, call: Call) -> Any:
    """The decoded body; fields that it names twice are noted in ``call.duplicates``."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == APPLY_TYPE:
        # kubectl and most others send JSON, which is YAML too, but a hundred times quicker to read.
        kind = "application/json" if body.lstrip()[:1] == b"{" else "application/yaml"
    decoded = decode_body(kind, body)
    if call.field_validation != "Ignore":
        if kind in YAML_TYPES:
            call.duplicates = yamlbody.duplicates(body)
        elif (kind in ("", "*/*") or kind.endswith("json")) and _may_repeat(body, decoded):
            call.duplicates = jsonkeys.duplicates(body)
    return decoded


def _may_repeat(body: bytes, decoded: Any) -> bool:
    """Cheaply: as many keys came out as went in, unless one was there twice."""
    if _SPACED_KEY.search(body):
        return True
    return body.count(b'":') != orjson.dumps(decoded).count(b'":')
