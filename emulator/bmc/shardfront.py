"""The control endpoint in front of the shards: one log, one list of faults, one state."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from emulator.bmc import metrics
from emulator.bmc.control import PAGE, guarded, text_of
from emulator.bmc.log import (
    EVENTS_KEPT,
    RECORDS_KEPT,
    BmcEvent,
    BmcRecord,
    LogPage,
    Ring,
    page,
)
from emulator.fields import FieldError, whole

TIMEOUT = 10.0
"""Seconds for one answer of a shard."""
PULL = 1.0
"""Seconds between two looks at the shards' logs; a shard's ring lasts twenty at full load."""


@dataclass(slots=True)
class Followed:
    """How far a shard's log was read, and what is not in the joined log yet."""

    records_read: int = 0
    events_read: int = 0
    complete_to: float = 0.0
    records: list[BmcRecord] = field(default_factory=list)
    events: list[BmcEvent] = field(default_factory=list)
    missed_records: int = 0
    missed_events: int = 0

    def add(self, given: LogPage) -> None:
        self.missed_records += given.missed_records
        self.missed_events += given.missed_events
        if given.records:
            self.records_read = given.records[-1].seq
        if given.events:
            self.events_read = given.events[-1].seq
        self.records += given.records
        self.events += given.events
        if not given.more:
            self.complete_to = given.now


class JoinedLog:
    """The shards' logs in one, in the order of time, numbered anew.

    An entry waits until every shard has told all up to its time: what is numbered never moves.
    """

    def __init__(self, shards: int, records: int = RECORDS_KEPT, events: int = EVENTS_KEPT) -> None:
        self.shards = [Followed() for _ in range(shards)]
        self.records: Ring[BmcRecord] = Ring(records)
        self.events: Ring[BmcEvent] = Ring(events)
        self.complete_to = 0.0

    def join(self) -> None:
        """Number what every shard has told of."""
        until = self.complete_to = min(shard.complete_to for shard in self.shards)
        lost_records = lost_events = 0
        records: list[BmcRecord] = []
        events: list[BmcEvent] = []
        for shard in self.shards:
            lost_records += shard.missed_records
            lost_events += shard.missed_events
            shard.missed_records = shard.missed_events = 0
            records += [entry for entry in shard.records if entry.end <= until]
            events += [entry for entry in shard.events if entry.time <= until]
            shard.records = [entry for entry in shard.records if entry.end > until]
            shard.events = [entry for entry in shard.events if entry.time > until]
        if lost_records:
            self.records.give_up(lost_records)
        if lost_events:
            self.events.give_up(lost_events)
        # A sort keeps the order of a shard's own entries of one instant.
        for record in sorted(records, key=lambda entry: entry.end):
            self.records.append(replace(record, seq=self.records.next_seq))
        for event in sorted(events, key=lambda entry: entry.time):
            self.events.append(replace(event, seq=self.events.next_seq))


class Refusal(Exception):
    """A shard's answer that is to be passed on."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Front:
    """The handlers. Made inside the running loop."""

    def __init__(self, ports: Sequence[int], token: str) -> None:
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(TIMEOUT),
        )
        self._log = JoinedLog(len(ports))
        self._pulling = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._following = asyncio.ensure_future(self._follow())

    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._session.close()

    async def _follow(self) -> None:
        """Read the logs while nobody asks, so that nothing is lost until somebody does."""
        while True:
            try:
                await self._pull()
            except Refusal:
                return  # A shard is gone; the fleet ends.
            await asyncio.sleep(PULL)

    async def _pull(self) -> None:
        async with self._pulling:
            for number, shard in enumerate(self._log.shards):
                while True:
                    path = (
                        f"/control/log?after_records={shard.records_read}"
                        f"&after_events={shard.events_read}"
                    )
                    given = LogPage.from_json(await self._one(number, "GET", path))
                    shard.add(given)
                    if not given.more:
                        break
            self._log.join()

    async def _one(self, shard: int, method: str, path: str, body: bytes | None = None) -> Any:
        """One shard's answer. Raises Refusal."""
        try:
            async with self._session.request(method, self._urls[shard] + path, data=body) as answer:
                data = orjson.loads(await answer.read())
                if answer.status >= 400:
                    raise Refusal(answer.status, data)
                return data
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            why = f"shard {shard}: {str(error) or type(error).__name__}"
            raise Refusal(502, {"error": why}) from None

    async def _all(self, method: str, path: str) -> list[Any]:
        shards = range(len(self._urls))
        return await asyncio.gather(*(self._one(shard, method, path) for shard in shards))

    async def log(self, request: web.Request) -> web.Response:
        records, events = _count(request, "after_records"), _count(request, "after_events")
        await self._pull()
        log = self._log
        return _json(page(log.complete_to, log.records, log.events, records, events, PAGE))

    async def list_faults(self, _: web.Request) -> web.Response:
        return _json({"faults": await self._faults()})

    async def _faults(self) -> list[dict[str, Any]]:
        """Each fault is set in every shard, and hits in those where its hosts are."""
        listed = [answer["faults"] for answer in await self._all("GET", "/control/faults")]
        joined: dict[str, dict[str, Any]] = {}
        for fault in (entry for part in listed for entry in part):
            known = joined.setdefault(fault["id"], {**fault, "hits": 0, "active": False})
            known["hits"] += fault["hits"]
            known["active"] = known["active"] or fault["active"]
        return list(joined.values())

    async def add_faults(self, request: web.Request) -> web.Response:
        """In all shards or, where one refuses, in none."""
        body = await request.read()
        _refuse_counts(body)
        await self._tell_firmware()
        added: list[tuple[int, list[str]]] = []
        answers = []
        try:
            for shard in range(len(self._urls)):
                answer = await self._one(shard, "POST", "/control/faults", body)
                answers.append(answer)
                added.append((shard, [fault["id"] for fault in answer["faults"]]))
        except Refusal:
            for shard, ids in added:
                for fault_id in ids:
                    await self._one(shard, "DELETE", f"/control/faults/{fault_id}")
            raise
        return _json(answers[0], 201)

    async def _tell_firmware(self) -> None:
        """Every shard chooses among all hosts, by the versions that they run now."""
        updated: dict[str, str] = {}
        for part in await self._all("GET", "/control/firmware"):
            updated |= part["hosts"]
        body = orjson.dumps({"hosts": updated})
        for shard in range(len(self._urls)):
            await self._one(shard, "PUT", "/control/firmware", body)

    async def clear_faults(self, _: web.Request) -> web.Response:
        return _json((await self._all("DELETE", "/control/faults"))[0])

    async def clear_fault(self, request: web.Request) -> web.Response:
        return _json((await self._all("DELETE", request.rel_url.raw_path))[0])

    async def credentials(self, request: web.Request) -> web.Response:
        """Of all hosts whose credentials the fault has rotated, whichever shard has them."""
        hosts: dict[str, Any] = {}
        nobody: Refusal | None = None
        for shard in range(len(self._urls)):
            try:
                hosts |= (await self._one(shard, "GET", request.rel_url.raw_path))["hosts"]
            except Refusal as no:
                if no.status != 404:
                    raise
                nobody = no
        if nobody is not None and not hosts:
            raise nobody
        return _json({"hosts": hosts})

    async def state(self, _: web.Request) -> web.Response:
        parts = await self._all("GET", "/control/state")
        hosts = {name: host for part in parts for name, host in part["hosts"].items()}
        return _json({"now": min(part["now"] for part in parts), "hosts": hosts})

    async def metrics(self, _: web.Request) -> web.Response:
        return _json(metrics.join(await self._all("GET", "/control/metrics")))

    async def prometheus(self, _: web.Request) -> web.Response:
        snapshot = metrics.join(await self._all("GET", "/control/metrics"))
        return text_of(metrics.prometheus(snapshot, await self._faults()))


def application(front: Front, token: str) -> web.Application:
    """The joined endpoint: the same paths as a single fleet's."""

    @web.middleware
    async def pass_on(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            answer: web.StreamResponse = await handler(request)
            return answer
        except Refusal as no:
            return _json(no.body, no.status)

    app = guarded(token)
    app.middlewares.append(pass_on)
    app.router.add_get("/control/log", front.log)
    app.router.add_get("/control/faults", front.list_faults)
    app.router.add_post("/control/faults", front.add_faults)
    app.router.add_delete("/control/faults", front.clear_faults)
    app.router.add_delete("/control/faults/{id}", front.clear_fault)
    app.router.add_get("/control/faults/{id}/credentials", front.credentials)
    app.router.add_get("/control/state", front.state)
    app.router.add_get("/control/metrics", front.metrics)
    app.router.add_get("/metrics", front.prometheus)
    return app


def _refuse_counts(body: bytes) -> None:
    """Raises FieldError for a fault that ends after so many hits: shards count for themselves."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return  # The shards say what is wrong with it.
    listed = data.get("faults", [data]) if isinstance(data, dict) else []
    for index, fault in enumerate(listed if isinstance(listed, list) else []):
        if _counts(fault):
            raise FieldError(
                f"faults[{index}].count: a fleet in shards cannot count hits; "
                "leave it out, or start the fleet with one shard"
            )


def _counts(fault: object) -> bool:
    """Whether a fault, or one of its symptoms, ends after so many hits."""
    if not isinstance(fault, dict):
        return False
    symptoms = fault.get("symptoms")
    parts = [fault, *(symptoms if isinstance(symptoms, list) else [])]
    return any(isinstance(part, dict) and part.get("count") is not None for part in parts)


def _count(request: web.Request, name: str) -> int:
    given = request.query.get(name, "0")
    return whole(int(given) if given.isdecimal() else given, name, 0, 2**63)


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
