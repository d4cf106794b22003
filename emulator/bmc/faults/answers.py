"""Faults of answers: the request is performed, and what the client reads is wrong."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from emulator.bmc.redfish import JSON, Response
from emulator.faultspec import Fault

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

Answerer = Callable[["Bmc", Fault, Response], Response]
PAGE = b"<!DOCTYPE html><html><head><title>Login</title></head><body>Please log in.</body></html>"


def _object(answer: Response) -> dict[str, Any] | None:
    """The JSON object in an answer; None where there is none."""
    if not answer.body.startswith(b"{"):
        return None
    found: dict[str, Any] = orjson.loads(answer.body)
    return found


def _malformed(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    """Half of the object, which is never JSON; an answer without a body gets the half of one."""
    body = answer.body[: max(1, len(answer.body) // 2)] or b'{"@odata.id": '
    status = 200 if answer.status == 204 else answer.status
    return Response(status, {**answer.headers, "Content-Type": JSON}, body)


def _page(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)


def _list(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    status = 200 if answer.status == 204 else answer.status
    body = orjson.dumps([_object(answer) or {}])
    return Response(status, {**answer.headers, "Content-Type": JSON}, body)


def _missing(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    data = _object(answer)
    if data is None:
        return answer
    names = fault.params["properties"]
    if not names:
        rng = bmc.fleet.runtime.rng(f"fault/{fault.id}/{bmc.name}/properties")
        names = [name for name in data if rng.random() < fault.params["share"]]
    for name in names:
        *path, last = name.split("/")
        inner: Any = data
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.pop(last, None)
    return answer._replace(body=orjson.dumps(data))


def _null_power(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    return _with_power(answer, None)


def _stale_power(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    return _with_power(answer, bmc.power_at(bmc.fleet.runtime.now() - fault.params["lag"]))


def _with_power(answer: Response, power: str | None) -> Response:
    data = _object(answer)
    if data is None or "PowerState" not in data:
        return answer
    return answer._replace(body=orjson.dumps(data | {"PowerState": power}))


def _wrong_etag(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    if "ETag" not in answer.headers:
        return answer
    tag = f'"{zlib.crc32(answer.headers["ETag"].encode()):08x}"'
    data = _object(answer)
    body = answer.body if data is None else orjson.dumps(data | {"@odata.etag": tag})
    return Response(answer.status, {**answer.headers, "ETag": tag}, body)


def _endless(bmc: Bmc, fault: Fault, answer: Response) -> Response:
    if answer.status == 202:
        bmc.drivers.get("updates").running.ends = None
    return answer


ANSWERS: Mapping[str, Answerer] = {
    "malformed-json": _malformed,
    "html": _page,
    "list": _list,
    "missing-fields": _missing,
    "null-power": _null_power,
    "wrong-etag": _wrong_etag,
    "stale-power": _stale_power,
    "endless-task": _endless,
}
