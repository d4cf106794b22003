"""The workloads of a server: controllers, kubelet, and what they answer over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import aiohttp
from aiohttp import web

from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.api.http import Target
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.kinds.registry import Registry, Resource
from emulator.kube.kinds.schema import Schema
from emulator.kube.store.store import Store
from emulator.kube.workloads import routes, usage
from emulator.kube.workloads.controllers import Controllers
from emulator.kube.workloads.credentials import Credentials
from emulator.kube.workloads.exposition import total
from emulator.kube.workloads.kubelet import MAX_PODS, Kubelet
from emulator.kube.workloads.pod import Timing

log = logging.getLogger(__name__)

_SAMPLE_EVERY = 5.0  # seconds between looks at the processes' use of the processor
_SCRAPE = 3.0  # seconds that a manager may take for its /metrics
_MAX_METRICS = 8 * 1024 * 1024  # bytes of one manager's
_METRICS_KINDS = (
    Kind("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", namespaced=False),
    Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods"),
)


class Workloads:
    """``directory`` keeps the pods' files; ``credentials`` is how each gets to the API."""

    def __init__(
        self,
        store: Store,
        directory: Path,
        credentials: Credentials,
        *,
        timing: Timing | None = None,
        max_pods: int = MAX_PODS,
        faults: ApiFaults | None = None,
    ) -> None:
        self.store = store
        self.closing = False
        self.following: set[asyncio.Event] = set()
        self.sessions: set[asyncio.Task[object]] = set()
        self.kubelet = Kubelet(
            store, directory, credentials, timing=timing, max_pods=max_pods, faults=faults
        )
        self._rates: dict[int, usage.Rate] = {}
        self._machine = usage.Rate()
        self._sampler: asyncio.TimerHandle | None = None
        self._http: aiohttp.ClientSession | None = None
        register(store.registry)

    def start(self) -> None:
        """Within the event loop that the store belongs to."""
        loop = asyncio.get_running_loop()
        # The kubelet first: it hears of a pod before the ReplicaSet counts it.
        self.kubelet.start()
        controllers = Controllers(self.store, loop.call_later)
        controllers.resync()
        self._sample()

    async def stop(self) -> None:
        """End every process and every stream."""
        self.closing = True
        if self._sampler is not None:
            self._sampler.cancel()
        for woken in self.following:
            woken.set()
        for task in tuple(self.sessions):
            task.cancel()
        await self.kubelet.stop()
        if self._http is not None:
            await self._http.close()

    async def serve(self, request: web.BaseRequest, asked: Target) -> web.StreamResponse | None:
        """The answer to a request that is the workloads' own; None for all others."""
        return await routes.answer(self, request, asked)

    async def metrics(self) -> str:
        """The samples of all managers that run as pods, summed; see :mod:`exposition`."""
        urls = [url for worker in self.kubelet.pods.values() for url in worker.metrics_urls()]
        http = self.http()
        return total(await asyncio.gather(*(self._scrape(http, url) for url in urls)))

    def http(self) -> aiohttp.ClientSession:
        """For requests to the pods; closed with the workloads."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_SCRAPE), trust_env=False
            )
        return self._http

    async def _scrape(self, http: aiohttp.ClientSession, url: str) -> str:
        try:
            async with http.get(url) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > _MAX_METRICS:
                        log.warning("metrics of %s: more than %d bytes", url, _MAX_METRICS)
                        return ""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("metrics of %s: %s", url, error or type(error).__name__)
            return ""
        return body.decode(errors="replace")

    def pod_usage(self, uid: str) -> list[tuple[str, Object]]:
        """What each container of the pod uses; empty when nothing is known."""
        worker = self.kubelet.pods.get(uid)
        found: list[tuple[str, Object]] = []
        for container in worker.containers if worker is not None else ():
            process = container.process
            if process is None or not process.alive:
                continue
            seconds, memory = usage.process_cpu(process.pid), container.memory()
            if seconds is not None and memory is not None:
                rate = self._rate(process.pid, process.begun)
                cores = rate.cores(self.store.runtime.now(), seconds)
                found.append((container.name, usage.quantities(cores, memory)))
        return found

    def node_usage(self) -> Object | None:
        """What the whole machine uses; None where the system does not tell."""
        seconds, memory = usage.machine_cpu(), usage.machine_memory()
        if seconds is None or memory is None:
            return None
        return usage.quantities(self._machine.cores(self.store.runtime.now(), seconds), memory)

    def _rate(self, pid: int, begun: float) -> usage.Rate:
        if pid not in self._rates:
            self._rates[pid] = usage.Rate()
            self._rates[pid].add(begun, 0.0)
        return self._rates[pid]

    def _sample(self) -> None:
        now = self.store.runtime.now()
        alive: set[int] = set()
        for worker in self.kubelet.pods.values():
            for container in worker.containers:
                process = container.process
                if process is not None and process.alive:
                    alive.add(process.pid)
                    seconds = usage.process_cpu(process.pid)
                    if seconds is not None:
                        self._rate(process.pid, process.begun).add(now, seconds)
        for pid in self._rates.keys() - alive:
            del self._rates[pid]
        busy = usage.machine_cpu()
        if busy is not None:
            self._machine.add(now, busy)
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            self._sampler = loop.call_later(_SAMPLE_EVERY, self._sample)


def register(registry: Registry) -> None:
    """Show metrics.k8s.io in discovery, as an aggregated API server does."""
    for kind in _METRICS_KINDS:
        if registry.get(kind) is None:
            registry.register(
                Resource(
                    kind=kind,
                    singular="",
                    list_kind=f"{kind.kind}List",
                    schema=Schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
                    verbs=("get", "list"),
                )
            )
