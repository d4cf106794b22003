"""Events to their subscribers, from a live fleet, to this machine only.

What a machine does by itself is found out when somebody asks; a subscriber does not ask. So the
fleet's clockwork is wound here for as long as something is to come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp

from emulator.bmc.fleet import Fleet
from emulator.bmc.services.events import RETRIES, is_loopback

TICK = 0.05
"""Seconds between two looks at the machines."""
TIMEOUT = 5.0
"""Seconds that a subscriber has to take one event."""
PAUSE = 0.5
"""Seconds before another try; EventService says five, a lab has no such patience."""
WAITING = 1000
"""Events on their way; further ones are dropped, and counted."""


class Delivery:
    """Sends what the fleet hands on. Made inside the running loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._session: aiohttp.ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self.delivered = 0
        self.dropped = 0
        fleet.deliver = self.send

    def start(self) -> None:
        self._ticking = asyncio.ensure_future(self._tick())

    async def stop(self) -> None:
        tasks = [task for task in (self._ticking, *self._sending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Start to deliver one event; a destination elsewhere gets nothing."""
        if not is_loopback(url) or len(self._sending) >= WAITING:
            self.dropped += 1
            return
        task = asyncio.ensure_future(self._post(url, dict(headers), body))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> None:
        if self._session is None:
            # No proxy of the environment, no redirect: the event stays on this machine.
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT))
        for attempt in range(1 + RETRIES):
            if attempt:
                await asyncio.sleep(PAUSE)
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                # A subscriber's certificate is its own, as those of this fleet are.
                async with self._session.post(
                    url, data=body, headers=headers, ssl=False, allow_redirects=False
                ) as answer:
                    if answer.status < 300:
                        self.delivered += 1
                        return
        self.dropped += 1

    async def _tick(self) -> None:
        while True:
            due = self._fleet.next_due
            if due is not None and due <= self._fleet.runtime.now():
                self._fleet.settle()
            await asyncio.sleep(TICK)
