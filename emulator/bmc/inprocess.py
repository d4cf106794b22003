"""The fleet as a transport of ``requests``: sushy talks to it without a socket, in virtual time.

A request runs as a task of the world, not of the client: when the client gives up, or its process
is killed, the BMC carries on and what it does takes effect late, as behind a real network.
"""

from __future__ import annotations

import http
import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from beskar7.runtime import Event, Runtime
from emulator.bmc.bmc import Bmc
from emulator.bmc.fleet import Fleet
from emulator.bmc.plan import Plan
from emulator.bmc.redfish import READS, Request, Response

Hook = Callable[[str, str, str], None]
"""Hears of a request: BMC, method, path."""


class FleetAdapter(BaseAdapter):
    """Mount it on a session: ``session.mount("http://", FleetAdapter(fleet, runtime))``.

    ``runtime`` is that of the client's process; the exchanges run on the fleet's. ``before`` and
    ``after`` hear of each request that is about to be sent, and of each that was answered.
    ``whole``: a read timeout is one of the whole answer, as in the controller's own adapter; else
    it is one of each piece, as in that of ``requests``.
    """

    def __init__(
        self,
        fleet: Fleet,
        runtime: Runtime,
        *,
        before: Hook | None = None,
        after: Hook | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self._whole = whole
        self._fleet = fleet
        self._runtime = runtime
        self._before = before
        self._after = after
        self._under_way: dict[Exchange, None] = {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Raises what ``requests`` raises: ReadTimeout, and ConnectionError for a lost one."""
        url = urlsplit(request.url or "")
        bmc = self._fleet.by_address(url.hostname or "")
        if bmc is None:
            raise requests.exceptions.ConnectionError(
                f"Connection refused: no BMC at {url.hostname}", request=request
            )
        body = request.body or b""
        asked = Request(
            request.method or "GET",
            url.path or "/",
            request.headers,
            body.encode() if isinstance(body, str) else bytes(body),
            url.query,
        )
        if self._before is not None:
            self._before(bmc.name, asked.method, asked.path)
        # A call of the client's own runtime, before the world is touched: a killed process that
        # still unwinds ends here.
        self._runtime.sleep(0.0)
        self._connect(bmc, request, verify=bool(verify))
        exchange = Exchange(self._fleet, bmc, asked)
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        asked_at = self._runtime.now()
        self._under_way[exchange] = None
        try:
            begun = exchange.begun.wait(patience)
            left = patience
            if self._whole and patience is not None:
                left = max(0.0, asked_at + patience - self._runtime.now())
            elif not exchange.stalls(patience):
                left = None
            answered = begun and exchange.done.wait(left)
        finally:
            self._under_way.pop(exchange, None)
            exchange.gone.set()
        if exchange.cut:
            raise requests.exceptions.ConnectionError(
                "Connection aborted: cut off by this side", request=request
            )
        if begun and not answered:
            self._runtime.trace("bmc", f"{bmc.name} {asked.method} {asked.path} stalled")
            raise requests.exceptions.ConnectionError(
                f"Read timed out. (read timeout={patience})", request=request
            )
        if not answered:
            self._runtime.trace("bmc", f"{bmc.name} {asked.method} {asked.path} timeout")
            raise requests.exceptions.ReadTimeout(
                f"Read timed out. (read timeout={patience})", request=request
            )
        answer = exchange.answer
        status = answer.status if answer else 0
        self._runtime.trace("bmc", f"{bmc.name} {asked.method} {asked.path} {status}")
        if answer is None:
            raise requests.exceptions.ConnectionError(
                "Connection aborted: connection reset by peer", request=request
            )
        if self._after is not None:
            self._after(bmc.name, asked.method, asked.path)
        if exchange.torn:
            raise requests.exceptions.ChunkedEncodingError(
                f"Connection broken: IncompleteRead of {len(answer.body)} bytes", request=request
            )
        return _response(request, answer)

    def _connect(self, bmc: Bmc, request: requests.PreparedRequest, *, verify: bool) -> None:
        """Raises what a client sees of a connection that a fault turns away."""
        kind = self._fleet.connect(bmc)
        if not kind or (kind == "certificate-expired" and not verify):
            return
        self._runtime.trace("bmc", f"{bmc.name} {kind}")
        error, said = TURNED_AWAY[kind]
        raise error(f"{bmc.spec.address}: {said}", request=request)

    def close(self) -> None:
        """There is no connection to close."""

    def cut(self) -> None:
        """Clients see the end of what is under way; BMCs see that they are gone."""
        for exchange in self._under_way:
            exchange.cut = True
            exchange.begun.set()
            exchange.done.set()


class Exchange:
    """One request on its way through a BMC, as a task of the world."""

    def __init__(self, fleet: Fleet, bmc: Bmc, request: Request) -> None:
        self._fleet = fleet
        self._bmc = bmc
        self._request = request
        self.begun = fleet.runtime.event()
        """The first of the answer is there, or never will be."""
        self.done = fleet.runtime.event()
        self.gone: Event = fleet.runtime.event()
        """The client no longer waits."""
        self.answer: Response | None = None
        """None once done: the connection was lost."""
        self.cut = False
        """The client broke it off."""
        self.torn = False
        """A part of the answer is missing."""
        self._gap = 0.0
        fleet.runtime.spawn(self._run, name=f"bmc/{bmc.name}")

    def stalls(self, patience: float | None) -> bool:
        """Whether a client that waits so long for each piece gives up on the body."""
        return patience is not None and self._gap > patience

    def _run(self) -> None:
        fleet, bmc, request = self._fleet, self._bmc, self._request
        plan = fleet.admit(bmc, request)
        acted: Response | None = None
        try:
            left = self._pause(plan.before)
            if plan.perform and not left:
                acted = fleet.perform(bmc, request, plan)
                left = self._pause(plan.after)
            if plan.outcome == "hang":
                self._hang(plan)
            elif not left:
                self.answer = plan.answer(acted)
                if self.answer is not None and self.answer.body and plan.in_pieces:
                    self._send(plan, self.answer.body)
        finally:
            fleet.finish(bmc, request, plan, self.answer, acted)
            self.begun.set()
            self.done.set()

    def _send(self, plan: Plan, body: bytes) -> None:
        """The body as slowly as the plan says, as much of it as it says."""
        whole = plan.sent(body)
        self.torn = whole < len(body)
        seconds = whole / plan.rate
        if plan.ends is not None:
            seconds = min(seconds, plan.ends - self._fleet.runtime.now())
        self._gap = math.inf if plan.then == "hang" else min(plan.piece, whole) / plan.rate
        self.begun.set()
        forget = self._fleet.on_release(plan.fault, self.gone.set)
        if seconds > 0.0:
            self.gone.wait(seconds)
        forget()
        if plan.then == "hang" and not self.gone.is_set():
            self._hang(plan)

    def _pause(self, seconds: float) -> bool:
        """Let the latency pass; True when the client of a read left before its end.

        A BMC stops to render for nobody. What it was told to do it does all the same.
        """
        if seconds <= 0.0:
            return False
        if self._request.method in READS:
            return self.gone.wait(seconds)
        self._fleet.runtime.sleep(seconds)
        return False

    def _hang(self, plan: Plan) -> None:
        """Until the client gives up, or the fault ends."""
        forget = self._fleet.on_release(plan.fault, self.gone.set)
        self.gone.wait(None if plan.ends is None else plan.ends - self._fleet.runtime.now())
        forget()


def _response(request: requests.PreparedRequest, answer: Response) -> requests.Response:
    response = requests.Response()
    response.request = request
    response.url = request.url or ""
    response.status_code = answer.status
    response.reason = _REASONS.get(answer.status, "")
    response.headers = CaseInsensitiveDict(answer.headers)
    response.encoding = "utf-8"
    # The body is complete; requests has no public way to say so.
    response._content = answer.body
    response._content_consumed = True  # type: ignore[attr-defined]  # not in the stubs
    return response


TURNED_AWAY: Mapping[str, tuple[type[requests.exceptions.ConnectionError], str]] = {
    "refused": (requests.exceptions.ConnectionError, "Connection refused"),
    "reset-at-accept": (requests.exceptions.ConnectionError, "Connection reset by peer"),
    "tls-failure": (requests.exceptions.SSLError, "sslv3 alert handshake failure"),
    "certificate-expired": (
        requests.exceptions.SSLError,
        "certificate verify failed: certificate has expired",
    ),
}
"""What ``requests`` raises, by the kind of fault."""
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}
