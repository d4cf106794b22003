"""What the HTTP routes share: bounded bodies, content types, answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import Payload, web
from aiohttp.abc import AbstractStreamWriter

from beskar7.api.errors import (
    ApiError,
    BadRequest,
    NotAcceptable,
    TooLarge,
    UnsupportedMediaType,
)
from emulator.kube.api import protobuf, yamlbody
from emulator.kube.api.depth import MAX_DEPTH, check_depth

MAX_BODY = 3 * 1024 * 1024  # bytes; the API server's own limit
_MAX_PARAMETERS = 100
YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml")


@dataclass(slots=True)
class Target:
    """Path and query of a request.

    ``age`` is how many seconds ago the state was that a list shows; only a fault sets it.
    """

    path: str
    query: dict[str, str]
    age: float = 0.0

    def flag(self, name: str) -> bool:
        """Go's reading of a boolean parameter. Raises :class:`BadRequest`."""
        value = self.query.get(name, "false").lower()
        if value in ("true", "1", "t", ""):
            return True
        if value in ("false", "0", "f"):
            return False
        raise BadRequest(f'{name}: "{value[:40]}" is neither true nor false')

    def number(self, name: str, *, low: int = 0, high: int = 2**31) -> int | None:
        """Raises :class:`BadRequest`."""
        value = self.query.get(name)
        if not value:
            return None
        try:
            number = int(value)
        except ValueError:
            raise BadRequest(f'{name}: "{value[:40]}" is not a number') from None
        if not low <= number <= high:
            raise BadRequest(f"{name}: {number} is not between {low} and {high}")
        return number


def target(raw: str) -> Target:
    """Raises :class:`BadRequest` for a query that cannot be read."""
    path, _, query = raw.partition("?")
    if not query:
        return Target(unquote(path) if "%" in path else path, {})
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: {error}") from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return Target(unquote(path) if "%" in path else path, found)


BODY = "body"
"""Where a request keeps its body that was read before its time."""


async def read_body(request: web.BaseRequest) -> bytes:
    """Raises :class:`TooLarge` once the body exceeds :data:`MAX_BODY`, unpacked."""
    kept: bytes | None = request.get(BODY)
    if kept is not None:
        return kept
    declared = request.content_length
    if declared is not None and declared > MAX_BODY:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > MAX_BODY:
                raise _too_large()
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise BadRequest(f"the body cannot be read: {error}") from error
    return b"".join(chunks)


def _too_large() -> ApiError:
    return TooLarge(f"Request entity too large: limit is {MAX_BODY}")


def decode_body(content_type: str, body: bytes) -> Any:
    """JSON, YAML or protobuf by the content type; no type means JSON.

    Raises :class:`BadRequest` for bytes that are not what they claim to be.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == protobuf.CONTENT_TYPE:
        return protobuf.decode(body)
    if kind in YAML_TYPES:
        return yamlbody.decode(body)
    if kind in ("", "application/json", "*/*") or kind.endswith("+json"):
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"the body is not valid JSON: {_brief(error)}") from error
    else:
        raise UnsupportedMediaType(
            f"the body of the request was in an unknown format ({kind[:80]}) - accepted media "
            "types include: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf"
        )
    # A bracket opens each level, so where there are few brackets nobody needs to look.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        check_depth(decoded)
    return decoded


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def wants_table(accept: str) -> bool:
    """The client prefers a ``meta.k8s.io/v1`` Table. Raises :class:`NotAcceptable`."""
    if not accept or accept in ("application/json", "*/*"):
        return False
    acceptable = False
    for option in accept.split(","):
        media, *parameters = (part.strip() for part in option.split(";"))
        if media not in ("application/json", "application/*", "*/*"):
            continue
        acceptable = True
        given = dict(part.partition("=")[::2] for part in parameters)
        if "as" not in given:
            return False
        if given["as"] == "Table" and given.get("v") == "v1":
            return True
    if not acceptable:
        raise NotAcceptable(
            "only the following media types are accepted: application/json", details={}
        )
    return False


def json_response(
    body: bytes | Parts, *, status: int = 200, warnings: list[str] | None = None
) -> web.Response:
    response = web.Response(body=body, status=status, content_type="application/json")
    for warning in warnings or ():
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        # Header values are one line of printable ASCII, whatever the client's fields are called.
        plain = "".join(char if " " <= char <= "~" else "?" for char in quoted)
        response.headers.add("Warning", f'299 - "{plain[:500]}"')
    return response


class Parts(Payload):
    """A body in parts: to join those of a long list would take as long as to send them."""

    def __init__(self, parts: list[bytes]) -> None:
        super().__init__(parts, content_type="application/json")
        self._size = sum(len(part) for part in parts)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        for part in self._value:
            await writer.write(part)


def error_response(error: ApiError) -> web.Response:
    body = orjson.dumps(error.status())
    response = json_response(body, status=error.code, warnings=error.warnings)
    if error.code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="kubernetes"'
    retry = error.details.get("retryAfterSeconds")
    if retry:
        response.headers["Retry-After"] = str(retry)
    return response
