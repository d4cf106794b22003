"""The control endpoint of a live fleet: logs, faults, state, metrics; bearer token required."""

from __future__ import annotations

import base64
import hmac
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from emulator.bmc import metrics
from emulator.bmc.metrics import Counts
from emulator.bmc.saturation import Saturation
from emulator.bmc.server import FleetServer
from emulator.faultbase import entries
from emulator.faults import Active
from emulator.faultspec import Fault
from emulator.fields import FieldError, whole

PAGE = 10_000
"""Entries of each log in one answer."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(token: str) -> web.Application:
    """An application without routes that answers who has the token, and errors in JSON."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _json({"error": "bearer token missing or wrong"}, 401)
        try:
            return await handler(request)
        except FieldError as bad:
            return _json({"error": str(bad)}, 400)

    return web.Application(middlewares=[guard])


def application(control: Control, token: str) -> web.Application:
    """The aiohttp application of one fleet; it belongs to the server's loop."""
    app = guarded(token)
    app.router.add_get("/control/log", control.log)
    app.router.add_get("/control/faults", control.list_faults)
    app.router.add_post("/control/faults", control.add_faults)
    app.router.add_delete("/control/faults", control.clear_faults)
    app.router.add_delete("/control/faults/{id}", control.clear_fault)
    app.router.add_get("/control/faults/{id}/credentials", control.credentials)
    app.router.add_get("/control/firmware", control.firmware)
    app.router.add_put("/control/firmware", control.learn_firmware)
    app.router.add_get("/control/state", control.state)
    app.router.add_get("/control/metrics", control.metrics)
    app.router.add_get("/metrics", control.prometheus)
    return app


class Control:
    """The handlers."""

    def __init__(
        self, server: FleetServer, saturation: Saturation, counts: Counts, shard: int = 0
    ) -> None:
        self._counts = counts
        self._shard = shard
        self._server = server
        self._fleet = server.fleet
        self._saturation = saturation

    async def log(self, request: web.Request) -> web.Response:
        page = self._fleet.log(
            _count(request, "after_records"), _count(request, "after_events"), PAGE
        )
        # orjson writes dataclasses itself: a full page takes 10 ms of the loop, not 100.
        return _json(page)

    async def list_faults(self, _: web.Request) -> web.Response:
        now = self._fleet.runtime.now()
        return _json({"faults": [_fault(active, now) for active in self._fleet.faults.list()]})

    async def add_faults(self, request: web.Request) -> web.Response:
        """One fault, or ``{"faults": [...], "origin": <runtime.now() seconds>}``: all or none."""
        try:
            data = json.loads(await request.text())
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise FieldError("body: must be JSON") from None
        given, origin = entries(data)
        faults = self._fleet.faults
        added: list[Active] = []
        try:
            for where, entry in given:
                fault = Fault.from_dict(entry, where, default_id=faults.next_id())
                self._fleet.spec.check(fault, where)
                added.append(faults.add(fault, origin))
        except FieldError:
            for active in added:
                faults.clear(active.fault.id)
            raise
        now = self._fleet.runtime.now()
        return _json({"faults": [_fault(active, now) for active in added]}, 201)

    async def clear_faults(self, _: web.Request) -> web.Response:
        return _json({"cleared": self._fleet.faults.clear()})

    async def clear_fault(self, request: web.Request) -> web.Response:
        fault_id = request.match_info["id"]
        if not self._fleet.faults.clear(fault_id):
            return _json({"error": f"no fault {fault_id!r}"}, 404)
        return _json({"cleared": 1})

    async def credentials(self, request: web.Request) -> web.Response:
        """User names and password of the hosts whose credentials a fault has rotated, by host."""
        fault_id = request.match_info["id"]
        found = {}
        for name, bmc in self._fleet.bmcs.items():
            if fault_id in bmc.rotated:
                token = base64.b64decode(bmc.rotated[fault_id][1]).decode()
                username, _, password = token.partition(":")
                found[name] = {"username": username, "password": password}
        if not found:
            return _json({"error": f"no fault {fault_id!r} has rotated credentials"}, 404)
        return _json({"hosts": found})

    async def firmware(self, _: web.Request) -> web.Response:
        """The versions of BMCs that were updated, by host."""
        self._fleet.settle()
        bmcs = self._fleet.bmcs.items()
        found = {name: bmc.firmware for name, bmc in bmcs if bmc.firmware != bmc.spec.firmware}
        return _json({"hosts": found})

    async def learn_firmware(self, request: web.Request) -> web.Response:
        """From the endpoint in front of the shards: the same of all of them."""
        self._fleet.updated = orjson.loads(await request.read())["hosts"]
        return _json({})

    async def state(self, _: web.Request) -> web.Response:
        return _json({"now": self._fleet.runtime.now(), "hosts": self._fleet.state()})

    async def metrics(self, _: web.Request) -> web.Response:
        return _json(self.snapshot())

    async def prometheus(self, _: web.Request) -> web.Response:
        now = self._fleet.runtime.now()
        faults = [_fault(active, now) for active in self._fleet.faults.list()]
        return text_of(metrics.prometheus(self.snapshot(), faults))

    def snapshot(self) -> dict[str, Any]:
        """What :func:`emulator.bmc.metrics.join` adds up."""
        saturation = self._saturation
        said = saturation.says
        shard = {
            "shard": self._shard,
            "pid": os.getpid(),
            "hosts": len(self._fleet.bmcs),
            "busy": round(saturation.busy, 4),
            "lag": round(saturation.lag, 4),
            "saturated": said,
        }
        return {
            "hosts": len(self._fleet.bmcs),
            "requests": self._server.requests,
            "in_flight": self._fleet.in_flight,
            "connections": len(self._server.doors),
            "busy": round(saturation.busy, 4),
            "busy_max": round(saturation.busy_max, 4),
            "lag": round(saturation.lag, 4),
            "lag_max": round(saturation.lag_max, 4),
            "saturated": f"shard {self._shard}: {said}" if said else "",
            "operations": {name: asdict(op) for name, op in self._counts.operations.items()},
            **metrics.machines(self._fleet),
            "shards": [shard],
        }


def text_of(body: bytes) -> web.Response:
    """Metrics in Prometheus' text format."""
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _fault(active: Active, now: float) -> dict[str, Any]:
    return {
        **active.fault.to_dict(),
        "origin": active.origin,
        "hosts": sorted(active.chosen),
        "hits": active.hits,
        "active": active.in_force(now),
    }


def _count(request: web.Request, name: str) -> int:
    given = request.query.get(name, "0")
    return whole(int(given) if given.isdecimal() else given, name, 0, 2**63)


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
