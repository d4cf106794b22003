"""The Redfish service of a fleet: what surrounds the application's routes on every request.

Credentials and roles, preconditions, query parameters, the headers that DSP0266 wants; and the
cache of rendered resources, which is exact: an entry holds while its BMC's version is the same,
and until the machine's next change that the clock alone brings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from emulator.bmc import access, etags, query, quirkrules, redfish, shape
from emulator.bmc.application import FleetApplication, serve
from emulator.bmc.call import Call
from emulator.bmc.redfish import JSON, Request, Response
from emulator.bmc.services.messages import Refused, envelope, refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.services.accounts import Account

RENDERED_KEPT = 20_000
"""Answers, of about 2 KB each."""
KEPT_BELOW = ("/redfish/v1/Systems", "/redfish/v1/Chassis")
"""What depends on the machine alone. Sessions, tasks and clocks move by themselves."""
LASTING = frozenset(
    f"/redfish/v1{path}{slash}" for path in ("", "/Systems", "/Managers") for slash in ("", "/")
)
"""What says where things are, which nothing that happens to a BMC changes."""
COMMON = {"OData-Version": "4.0", "Cache-Control": "no-cache"}
_SCHEMAS = "http://redfish.dmtf.org/schemas/v1"


EVER = -1
"""The version of an answer that holds for all of its BMC's."""


class Rendered(NamedTuple):
    version: int
    until: float
    answer: Response


class Service:
    """Answers requests; belongs to one fleet."""

    def __init__(self, application: FleetApplication) -> None:
        self.keeps = True
        """Whether answers are kept at all; off, each is rendered anew."""
        self._application = application
        self._rendered: dict[tuple[str, str], Rendered] = {}
        self._allowed: dict[str, str] = {}

    def answer(self, bmc: Bmc, request: Request, now: float, wall: float) -> Response:
        """One request, from credentials to headers."""
        try:
            return self._answer(bmc, request, now, wall)
        except Refused as no:
            headers = {**COMMON, "Content-Type": JSON, **no.headers}
            return Response(no.code, headers, envelope(no.entries))

    def _answer(self, bmc: Bmc, request: Request, now: float, wall: float) -> Response:
        version = request.headers.get("OData-Version")
        if version is not None and version.strip() != "4.0":
            raise refuse(412, "HeaderInvalid", "OData-Version")
        account = None
        if not access.is_open(request):
            account = access.authenticate(bmc, request, now)
            access.permit(bmc, account, request)
        if shape.absent(bmc, request.path):
            raise refuse(404, "ResourceMissingAtURI", request.path)
        if request.method in ("GET", "HEAD"):
            return self._read(bmc, request, now, wall, account)
        return self._write(bmc, request, now, wall, account)

    def _read(
        self, bmc: Bmc, request: Request, now: float, wall: float, account: Account | None
    ) -> Response:
        asked = query.parse(request.query) if request.query else None
        answer = self._get(bmc, request.path, now, wall, account)
        if asked is not None and answer.status == 200 and _is_json(answer):
            whole = query.apply(
                asked, orjson.loads(answer.body), self._reader(bmc, now, wall, account)
            )
            headers = dict(answer.headers)
            if asked.expand:
                # The members that came along have tags of their own.
                headers["ETag"] = etags.etag(whole)
            answer = Response(200, headers, orjson.dumps(whole))
        unless = request.headers.get("If-None-Match")
        if unless is not None and answer.status == 200 and not _is_system(request.path):
            tag = answer.headers.get("ETag")
            if tag is not None and etags.matches(unless, tag, weak=True):
                return Response(304, {**COMMON, "ETag": tag}, b"")
        if request.method == "HEAD":
            return Response(answer.status, answer.headers, b"")
        return answer

    def _reader(
        self, bmc: Bmc, now: float, wall: float, account: Account | None
    ) -> Callable[[str], dict[str, Any] | None]:
        """Reads resources for ``$expand``, each with the client's own rights."""

        def read(path: str) -> dict[str, Any] | None:
            try:
                access.permit(bmc, account, Request("GET", path, {}))
            except Refused:
                return None
            answer = self._get(bmc, path, now, wall, account)
            if answer.status != 200 or not _is_json(answer):
                return None
            found: dict[str, Any] = orjson.loads(answer.body)
            return found

        return read

    def _get(
        self, bmc: Bmc, path: str, now: float, wall: float, account: Account | None
    ) -> Response:
        """The resource as it is now, complete with headers."""
        key = (bmc.name, path)
        kept = self._rendered.get(key)
        if kept is not None and kept.version in (bmc.version, EVER) and now < kept.until:
            return kept.answer
        call = Call(bmc, now, wall, account)
        answer = self._serve(call, "GET", path, b"")
        answer, data = redfish.complete(path, answer, bmc, now, wall)
        answer = self._decorate(answer, path) if data is None else self._dress(answer, path, data)
        if not self.keeps:
            return answer
        version, until = bmc.version, bmc.machine.next_change(now)
        if path in LASTING and not bmc.personality.quirks.members_unordered:
            version, until = EVER, math.inf
        elif not path.startswith(KEPT_BELOW) or "/LogServices/" in path:
            return answer
        if answer.status == 200:
            if len(self._rendered) >= RENDERED_KEPT:
                self._rendered.clear()
            # orjson leaves its buffer's slack behind the bytes, 13 KB: a copy has none.
            answer = answer._replace(body=bytes(memoryview(answer.body)))
            self._rendered[key] = Rendered(version, until, answer)
        return answer

    def _write(
        self, bmc: Bmc, request: Request, now: float, wall: float, account: Account | None
    ) -> Response:
        if request.meaning.malformed:
            raise refuse(400, "MalformedJSON")
        quirkrules.check(bmc, request, now)
        path = request.path

        def shown() -> dict[str, Any]:
            found: dict[str, Any] = orjson.loads(self._get(bmc, path, now, wall, account).body)
            return found

        if request.method in etags.WRITES:
            self._condition(bmc, request, now, wall, account)
        # Before and after: the handler may look at what it changed.
        bmc.version += 1
        call = Call(bmc, now, wall, account, shown, lambda: _touch(bmc))
        # Some handlers read the body without asking whether there is one.
        answer = self._serve(call, request.method, path, request.body or b"{}")
        bmc.version += 1
        if answer.status == 200 and _is_json(answer):
            answer = _tagged(answer, orjson.loads(answer.body))
        quirkrules.done(bmc, request, answer.status, now)
        return self._decorate(answer, path)

    def _condition(
        self, bmc: Bmc, request: Request, now: float, wall: float, account: Account | None
    ) -> None:
        """Raises 412 where a precondition fails, 428 where this BMC wants one and has none."""
        headers = request.headers
        given = headers.get("If-Match") is not None or headers.get("If-None-Match") is not None
        if given:
            tag = self._get(bmc, request.path, now, wall, account).headers.get("ETag")
            if etags.fails(headers, tag):
                raise refuse(412, "PreconditionFailed")
        elif request.method != "DELETE" and bmc.personality.quirks.etag_required:
            raise refuse(428, "PreconditionRequired")

    def _serve(self, call: Call, method: str, path: str, body: bytes) -> Response:
        host = call.bmc.spec.address
        return Response(*serve(self._application, call, method, path, body, host))

    def _decorate(self, answer: Response, path: str) -> Response:
        """The headers of an answer, and of a resource its tag."""
        if answer.status == 200 and _is_json(answer) and "ETag" not in answer.headers:
            return self._dress(answer, path, orjson.loads(answer.body))
        return answer._replace(headers=self._headers(answer, path))

    def _dress(self, answer: Response, path: str, data: dict[str, Any]) -> Response:
        """The same for a resource that is ``data``, whatever the body."""
        return _tagged(answer._replace(headers=self._headers(answer, path)), data)

    def _headers(self, answer: Response, path: str) -> dict[str, str]:
        headers = {**answer.headers, **COMMON}
        if answer.status == 200 and "Allow" not in headers and path.startswith("/redfish"):
            headers["Allow"] = self._allow(path)
        return headers

    def _allow(self, path: str) -> str:
        """The methods of what is at ``path``."""
        found = self._allowed.get(path)
        if found is None:
            adapter = self._application.url_map.bind("bmc")
            found_at = adapter.allowed_methods(path) or adapter.allowed_methods(f"{path}/")
            methods = set(found_at) - {"OPTIONS"}
            if path.rstrip("/").endswith("/AccountService/Accounts/1"):
                methods.discard("DELETE")  # The fleet's own account stays.
            found = ", ".join(sorted(methods))
            if len(self._allowed) < RENDERED_KEPT:
                self._allowed[path] = found
        return found


def _is_system(path: str) -> bool:
    """Whose boot goes on under the same tag: only the whole of it says how it is."""
    return path.startswith("/redfish/v1/Systems/") and path.rstrip("/").count("/") == 4


def _touch(bmc: Bmc) -> None:
    bmc.version += 1


def _is_json(answer: Response) -> bool:
    return answer.headers.get("Content-Type", "").startswith(JSON) and answer.body[:1] == b"{"


def _tagged(answer: Response, data: dict[str, Any]) -> Response:
    """The answer with ``data``, its tag in it and in the headers; ``data`` is used up."""
    kind = data.get("@odata.type")
    if not isinstance(kind, str) or "@odata.id" not in data:
        data.pop(etags.TAG, None)
        return answer._replace(body=orjson.dumps(data))
    tag, body = etags.tagged(data)
    headers = {**answer.headers, "ETag": tag, "Link": _described_by(kind)}
    return Response(answer.status, headers, body)


@lru_cache(maxsize=256)
def _described_by(kind: str) -> str:
    schema = kind.lstrip("#").rpartition(".")[0] or kind.lstrip("#")
    if schema.endswith("Collection"):
        schema = schema.partition(".")[0]
    return f"<{_SCHEMAS}/{schema}.json>; rel=describedby"
