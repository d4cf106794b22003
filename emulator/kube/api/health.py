"""``/healthz``, ``/livez`` and ``/readyz``, with ``?verbose`` and ``?exclude=``."""

from __future__ import annotations

from aiohttp import web

from beskar7.api.errors import NotFound
from emulator.kube.api.http import Target

PATHS = ("/healthz", "/livez", "/readyz")
_CHECKS = ("ping", "log", "etcd")
_READY = ("informer-sync", "shutdown")


def answer(path: str, asked: Target, *, serving: bool) -> web.Response:
    """``serving`` is false once the server goes down. Raises ``NotFound`` for an unknown check."""
    root, _, one = path[1:].partition("/")
    checks = (*_CHECKS, *_READY) if root == "readyz" else _CHECKS
    if f"/{root}" not in PATHS or (one and one not in checks):
        raise NotFound("the server could not find the requested resource")
    left_out = asked.query.get("exclude", "")
    asked_for = [one] if one else [check for check in checks if check != left_out]
    failed = [check for check in asked_for if check == "shutdown" and not serving]
    status = 500 if failed else 200
    if one or not (asked.flag("verbose") or failed):
        return web.Response(text="ok" if not failed else "shutting down", status=status)
    lines = [f"[{'-' if check in failed else '+'}]{check} ok" for check in asked_for]
    if left_out in checks and not one:
        lines.append(f"[+]{left_out} excluded: ok")
    verdict = "failed" if failed else "passed"
    return web.Response(text="\n".join([*lines, f"{root} check {verdict}\n"]), status=status)
