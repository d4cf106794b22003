"""Asks a running container, again and again, whether it has started, is ready, and lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from emulator.kube.workloads import images
from emulator.kube.workloads.probes import Probe, Verdict, attempt, target
from emulator.kube.workloads.process import ContainerProcess

if TYPE_CHECKING:
    from emulator.kube.workloads.container import Container

FAST = 0.25
"""Seconds between looks at a container that has never been ready: labs should be up soon. Its
failures are still counted, and told, at the probe's own period."""


async def watch(container: Container, process: ContainerProcess) -> None:
    """Keep the container's state true; the return means that it is to be restarted."""
    await _Prober(container).watch(process)


class _Prober:
    def __init__(self, container: Container) -> None:
        self._container = container
        self._pod = container.pod

    async def watch(self, process: ContainerProcess) -> None:
        if not await asyncio.shield(process.ready):
            await _forever()  # it has ended: who waits for that goes on
        served = self._served(process)
        startup = Probe.read(self._container.spec, "Startup")
        if startup is not None and not await self._start_probe(startup, served):
            return
        self._container.state.started = True
        readiness = Probe.read(self._container.spec, "Readiness")
        liveness = Probe.read(self._container.spec, "Liveness")
        if readiness is None:
            self._container.state.ready = True
        self._pod.publish()
        ready = self._readiness(readiness, served) if readiness is not None else _forever()
        alive = self._until_failed(liveness, served) if liveness is not None else _forever()
        beside = asyncio.create_task(ready, name=f"readiness of {self._container.name}")
        try:
            await alive
        finally:
            beside.cancel()

    def _served(self, process: ContainerProcess) -> dict[int, str]:
        """Where a declared port really is; others are asked for at the pod's address."""
        found = {
            each["containerPort"]: f"http://{self._pod.ip}:{each['containerPort']}"
            for each in self._container.spec.get("ports") or ()
            if "containerPort" in each
        }
        for usual, asked, url in (
            (images.METRICS_PORT, process.launch.metrics[1], process.metrics),
            (images.PROBES_PORT, process.launch.probes[1], process.probes),
        ):
            base = url.removesuffix("/metrics")
            found |= {usual: base, asked: base} if asked > 0 else {usual: base}
        return found

    async def _start_probe(self, probe: Probe, served: dict[int, str]) -> bool:
        verdict = Verdict(probe, healthy=True)
        await asyncio.sleep(probe.delay)
        while True:
            said = await self._ask(probe, served)
            if not said:
                return True
            verdict.observe(False)
            if not verdict.healthy:
                return False
            await asyncio.sleep(probe.period)

    async def _readiness(self, probe: Probe, served: dict[int, str]) -> None:
        verdict = Verdict(probe, healthy=False)
        clock = self._pod.runtime.now
        await asyncio.sleep(probe.delay)
        counted = clock() + probe.period
        been_ready = False
        while True:
            said = await self._ask(probe, served, quiet=not been_ready and clock() < counted)
            if verdict.observe(not said):
                self._container.state.ready = verdict.healthy
                been_ready = been_ready or verdict.healthy
                self._pod.publish()
            if clock() >= counted:
                counted = clock() + probe.period
            await asyncio.sleep(probe.period if been_ready else min(FAST, probe.period))

    async def _until_failed(self, probe: Probe, served: dict[int, str]) -> None:
        verdict = Verdict(probe, healthy=True)
        await asyncio.sleep(probe.delay)
        while verdict.healthy:
            verdict.observe(not await self._ask(probe, served))
            if verdict.healthy:
                await asyncio.sleep(probe.period)

    async def _ask(self, probe: Probe, served: dict[int, str], *, quiet: bool = False) -> str:
        url = target(probe, self._container.spec, served)
        said = await attempt(url, probe.path, probe.timeout)
        if said and not quiet:
            self._container.event("Warning", "Unhealthy", f"{probe.kind} probe failed: {said}")
        return said


async def _forever() -> None:
    await asyncio.Event().wait()
