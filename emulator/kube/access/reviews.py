"""Questions about access, and tokens for service accounts: objects that are answered, not kept."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from beskar7.api.errors import BadRequest, MethodNotAllowed
from beskar7.api.objects import Object
from emulator.kube.access.access import Access, current_user
from emulator.kube.access.authn import ISSUER, User
from emulator.kube.access.rbac import Grant
from emulator.kube.access.requestinfo import Attributes
from emulator.kube.api.bodies import read_call, read_document
from emulator.kube.api.http import Target, json_response, read_body
from emulator.kube.api.verbs import Handler
from emulator.kube.kinds.apitypes import TypeSchema
from emulator.kube.kinds.locations import Location
from emulator.kube.store.failures import Cause, invalid, invalid_value
from emulator.kube.store.metadata import rfc3339

_AUTHORIZATION = "authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_SECONDS = 3600  # of a token for which no time is named
_LEAST, _MOST = 600, 365 * 86400  # seconds
_TOKEN_REQUEST = TypeSchema("authentication.v1.TokenRequest")


class Reviews:
    """The handlers; see :attr:`emulator.kube.api.verbs.Verbs.handlers`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def handlers(self) -> dict[tuple[str, str], Handler]:
        return {
            (f"selfsubjectaccessreviews.{_AUTHORIZATION}", ""): self._self_access,
            (f"subjectaccessreviews.{_AUTHORIZATION}", ""): self._access_review,
            (f"localsubjectaccessreviews.{_AUTHORIZATION}", ""): self._local_access,
            (f"selfsubjectrulesreviews.{_AUTHORIZATION}", ""): self._rules,
            (f"tokenreviews.{_AUTHENTICATION}", ""): self._token_review,
            (f"selfsubjectreviews.{_AUTHENTICATION}", ""): self._self,
            ("serviceaccounts", "token"): self._token,
        }

    async def _self_access(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        obj["status"] = self._decide(current_user(), obj["spec"])
        return _answer(obj)

    async def _access_review(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        spec = obj["spec"]
        if not (spec.get("user") or spec.get("groups")):
            hint = "at least one of user or group must be specified"
            raise invalid(at.shown.kind, "", [invalid_value("spec.user", '""', hint)])
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
        obj["status"] = self._decide(user, spec)
        return _answer(obj)

    async def _local_access(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        spec = obj["spec"]
        about = spec.get("resourceAttributes") or {}
        if about.get("namespace") != at.namespace:
            hint = f"must match metadata.namespace ({at.namespace})"
            cause = invalid_value("spec.resourceAttributes.namespace", '""', hint)
            raise invalid(at.shown.kind, "", [cause])
        user = User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""))
        obj["status"] = self._decide(user, spec)
        return _answer(obj)

    def _decide(self, user: User, spec: Object) -> Object:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (resource is None) == (path is None):
            raise BadRequest(
                "exactly one of resourceAttributes and nonResourceAttributes must be specified"
            )
        if resource is not None:
            plural, _, sub = resource.get("resource", "").partition("/")
            asked = Attributes(
                resource.get("verb", ""),
                resource.get("group", ""),
                plural,
                resource.get("subresource", "") or sub,
                resource.get("namespace", ""),
                resource.get("name", ""),
            )
        else:
            assert path is not None
            # A rule for a resource must not answer for a path that is not said.
            asked = Attributes(path.get("verb", ""), path=path.get("path") or "/")
        why = self._access.authorizer.decide(user, asked)
        return {"allowed": False} if why is None else {"allowed": True, "reason": why}

    async def _rules(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        namespace = obj["spec"].get("namespace")
        if not namespace:
            raise BadRequest("no namespace on request")
        user = current_user()
        grants = self._access.authorizer.grants(user)
        near = [grant for grant in grants if grant.namespace in ("", namespace)]
        obj["status"] = {
            "incomplete": False,
            "resourceRules": _distinct(near, "verbs", "apiGroups", "resources", "resourceNames"),
            "nonResourceRules": _distinct(
                [grant for grant in near if not grant.namespace], "verbs", "nonResourceURLs"
            ),
        }
        return _answer(obj)

    async def _token_review(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        user = self._access.authenticator.review(obj["spec"]["token"])
        obj["spec"] = {"token": ""}  # it is nobody's business to have it back
        obj["status"] = (
            {"authenticated": False, "error": "invalid bearer token"}
            if user is None
            else {"authenticated": True, "user": user.info(), "audiences": [ISSUER]}
        )
        return _answer(obj)

    async def _self(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        obj = await _read(request, target, at)
        obj["status"] = {"userInfo": current_user().info()}
        return _answer(obj)

    async def _token(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        """``kubectl create token``."""
        obj = await _read(request, target, at, _TOKEN_REQUEST)
        spec = obj.setdefault("spec", {})
        seconds = spec.get("expirationSeconds") or _SECONDS
        if not _LEAST <= seconds <= _MOST:
            hint = f"must be between {_LEAST} and {_MOST} seconds"
            cause = invalid_value("spec.expirationSeconds", str(seconds), hint)
            raise invalid(at.resource.kind, at.name, [cause])
        if spec.get("audiences") not in (None, [], [ISSUER]):
            raise BadRequest(f"the lab issues tokens only for the audience {ISSUER}")
        issue = self._access.authenticator.issue
        token, until = issue(at.namespace, at.name, seconds)
        spec |= {"audiences": [ISSUER], "expirationSeconds": seconds}
        obj["metadata"] |= {"name": at.name, "namespace": at.namespace}
        obj["status"] = {"token": token, "expirationTimestamp": rfc3339(until)}
        return _answer(obj)


async def _read(
    request: web.BaseRequest, target: Target, at: Location, schema: Any = None
) -> Object:
    """The question, valid by its schema. Raises an ``ApiError``."""
    if request.method != "POST":
        raise MethodNotAllowed("the server does not allow this method on the requested resource")
    call = read_call(request, target)
    sent = read_document(request.headers.get("Content-Type", ""), await read_body(request), call)
    if not isinstance(sent, dict):
        raise BadRequest("the body must be a JSON object")
    found = at.shown.subresource(at.subresource) if at.subresource else None
    kind = found.kind if found is not None else at.shown.kind.kind
    group, version = (
        (found.group, found.version)
        if found is not None
        else (at.shown.kind.group, at.shown.kind.version)
    )
    api_version = f"{group}/{version}"
    for key, expected in (("apiVersion", api_version), ("kind", kind)):
        if sent.get(key, expected) != expected:
            raise BadRequest(f"the {key} in the data does not match the expected {expected}")
    used = schema or at.shown.schema
    obj, _ = used.prune({**sent, "apiVersion": api_version, "kind": kind})
    obj["metadata"] = sent["metadata"] if isinstance(sent.get("metadata"), dict) else {}
    causes: list[Cause] = used.causes(obj)
    if causes:
        raise invalid(at.shown.kind, at.name, causes)
    found_obj: Object = obj
    return found_obj


def _answer(obj: Object) -> web.Response:
    return json_response(orjson.dumps(obj), status=201)


def _distinct(grants: list[Grant], *fields: str) -> list[Object]:
    """The grants' rules of one sort, each once; the last field tells the sort."""
    found: dict[bytes, Object] = {}
    for grant in grants:
        rule = {key: grant.source[key] for key in fields if grant.source.get(key)}
        if fields[1] in rule:
            found.setdefault(orjson.dumps(rule), rule)
    return list(found.values())
