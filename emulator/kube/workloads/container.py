"""The life of one container: pull, start, probe, restart with back-off, end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from beskar7.api.objects import Object
from emulator.kube.store.metadata import rfc3339
from emulator.kube.workloads import environment, images, usage
from emulator.kube.workloads.credentials import NoAccount
from emulator.kube.workloads.leaks import Leak
from emulator.kube.workloads.limits import OOM_KILLED, PERIOD, Limits
from emulator.kube.workloads.podlog import ContainerLog
from emulator.kube.workloads.podstatus import (
    MESSAGE_LINES,
    Backoff,
    ContainerState,
    crash_loop,
    identity,
    last_words,
    restarts,
)
from emulator.kube.workloads.podstatus import terminated as ended
from emulator.kube.workloads.prober import watch
from emulator.kube.workloads.process import ContainerProcess
from emulator.kube.workloads.throttle import start as start_throttle

if TYPE_CHECKING:
    from emulator.kube.workloads.pod import PodWorker

log = logging.getLogger(__name__)

CANNOT_START = 128
"""The exit code of a container that could not be started."""


@dataclass(slots=True)
class Logs:
    """The logs of a container's present and previous life."""

    current: ContainerLog | None = None
    previous: ContainerLog | None = None

    def begin(self, path: Path) -> ContainerLog:
        if self.previous is not None:
            self.previous.remove()
        self.previous = self.current
        if self.previous is not None:
            self.previous.close()
        self.current = ContainerLog(path)
        return self.current

    def remove(self) -> None:
        for each in (self.current, self.previous):
            if each is not None:
                each.remove()


@dataclass(slots=True)
class Container:
    """One container of a pod, run by :meth:`run` until the pod stops or it is done."""

    pod: PodWorker
    spec: Object
    state: ContainerState
    logs: Logs = field(default_factory=Logs)
    backoff: Backoff = field(default_factory=Backoff)
    process: ContainerProcess | None = None
    environment: dict[str, str] = field(default_factory=dict)
    leak: Leak = field(default_factory=Leak)
    killed_for: str = ""
    """Why its kubelet killed it, in the API's word; empty when it did not."""

    @property
    def name(self) -> str:
        return self.state.name

    async def run(self) -> None:
        """Raises nothing: what goes wrong stands in the pod's status."""
        if not images.is_manager(self.state.image):
            await self._never_pulled()
            return
        self.event("Normal", "Pulled", f'Container image "{self.state.image}" already present')
        while not self.pod.stopping.is_set():
            if not await self._configure():
                continue
            code, ran, message = await self._life()
            if self.pod.stopping.is_set() or not restarts(self.pod.obj, code):
                return
            await self._back_off(self.backoff.wait(ran), message)
            self.state.restarts += 1

    async def _never_pulled(self) -> None:
        """ErrImagePull and ImagePullBackOff take turns, as they do."""
        image = self.state.image
        words = images.pull_error(image)
        wait = self.pod.timing.first_backoff
        while not self.pod.stopping.is_set():
            self.event("Normal", "Pulling", f'Pulling image "{image}"')
            self.event("Warning", "Failed", words)
            self.event("Warning", "Failed", "Error: ErrImagePull")
            self._wait_state("ErrImagePull", words)
            if await self.pod.pause(min(wait, 3.0)):
                return
            self.event("Normal", "BackOff", f'Back-off pulling image "{image}"')
            self._wait_state("ImagePullBackOff", f'Back-off pulling image "{image}": {words}')
            if await self.pod.pause(wait):
                return
            wait = min(wait * 2, 300.0)

    async def _configure(self) -> bool:
        """The environment; False after a wait when something that it needs is not there."""
        pod = self.pod
        try:
            given = environment.variables(
                pod.obj, self.spec, pod.lookup, pod_ip=pod.ip, host_ip=pod.host_ip
            )
            pod.write_kubeconfig()
        except (environment.ConfigurationError, NoAccount, OSError) as error:
            self.event("Warning", "Failed", f"Error: {error}")
            self._wait_state("CreateContainerConfigError", str(error))
            await pod.pause(pod.timing.config_retry)
            return False
        self.environment = pod.base_environment() | given
        return True

    async def _life(self) -> tuple[int, float, str]:
        """From a start to its end: exit code, seconds between them, and why it did not start."""
        pod = self.pod
        log_file = self.logs.begin(pod.directory / self.name / f"{self.state.restarts}.log")
        begun = pod.runtime.now()
        started = rfc3339(pod.runtime.wall())
        message = ""
        async with pod.starts:
            if pod.stopping.is_set():
                return 0, 0.0, ""
            try:
                launch = images.launch(
                    self.spec,
                    environment.arguments(self.spec, self.environment),
                    kubeconfig=pod.kubeconfig,
                    identity=identity(pod.obj, self.state.restarts),
                    pod_ip=pod.ip,
                    fixed_ports=pod.fixed_ports(),
                )
                self.process = await ContainerProcess.start(
                    launch, self.environment, pod.directory, log_file, pod.runtime.wall
                )
            except (
                OSError,
                ValueError,
                images.StartRefused,
                environment.ConfigurationError,
            ) as error:
                message = f"failed to create containerd task: {error}"
                code = CANNOT_START
            else:
                self._begun(started)
                guarding = asyncio.create_task(self._guard(self.process), name="limits")
                # Slots are held until the process serves: a hundred do not start at once.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pod.timing.start_slot):
                        await asyncio.shield(self.process.ready)
        if self.process is not None and not message:
            code = await self._serve(self.process)
            guarding.cancel()
            await asyncio.wait({guarding})
        log_file.close()
        self.process = None
        self._over(code, started, message, log_file)
        return code, pod.runtime.now() - begun, message

    def _begun(self, started: str) -> None:
        assert self.process is not None
        self.process.begun = self.pod.runtime.now()
        self.event("Normal", "Created", f"Created container {self.name}")
        self.event("Normal", "Started", f"Started container {self.name}")
        self.state.id = f"process://{self.process.pid}"
        self.state.state = {"running": {"startedAt": started}}
        self.pod.publish()

    def _over(self, code: int, started: str, message: str, log_file: ContainerLog) -> None:
        if message:
            self.event("Warning", "Failed", f"Error: {message}")
        at = rfc3339(self.pod.runtime.wall())
        id = "" if message else self.state.id
        said = last_words(self.spec, code, log_file.tail(MESSAGE_LINES))
        reason, self.killed_for = self.killed_for, ""
        over = ended(code, started, at, id, message, said, reason)
        self.state.state = {"terminated": over}
        self.state.ready = self.state.started = False
        self.pod.publish()

    def memory(self) -> int | None:
        """Resident bytes of all its processes; None when it does not run."""
        process = self.process
        own = usage.process_memory(process.pid) if process is not None and process.alive else None
        return None if own is None else own + self.leak.memory()

    async def _guard(self, process: ContainerProcess) -> None:
        """Hold it to its limits while it runs, and let it leak as a fault says."""
        limits, self.leak = Limits.of(self.spec), Leak()
        throttle: asyncio.subprocess.Process | None = None
        try:
            if limits.throttles:
                throttle = await start_throttle(process.pid, limits.cores or 0.0)
            while process.alive:
                await asyncio.sleep(PERIOD)
                await self.leak.lose(self.pod.leaking() * PERIOD)
                if limits.oom(self.memory() or 0):
                    self.killed_for = OOM_KILLED
                    process.signal(signal.SIGKILL)
                    return
        except OSError as error:
            log.warning("the limits of pod %s: %s", self.pod.obj["metadata"]["name"], error)
        finally:
            await self.leak.end()
            if throttle is not None and throttle.stdin is not None:
                throttle.stdin.close()
                await throttle.wait()

    async def _serve(self, process: ContainerProcess) -> int:
        """Until the process ends, by itself or because a probe or the pod says so."""
        watching = asyncio.create_task(watch(self, process), name=f"probes of {self.name}")
        stopping = asyncio.create_task(self.pod.stopping.wait())
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({watching, stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                return ending.result()
            if not stopping.done():
                words = f"Container {self.name} failed liveness probe, will be restarted"
            else:
                words = f"Stopping container {self.name}"
            self.event("Normal", "Killing", words)
            watching.cancel()
            return await self._stop(process)
        finally:
            for task in (watching, stopping, ending):
                task.cancel()

    async def _stop(self, process: ContainerProcess) -> int:
        """SIGTERM, and SIGKILL when the grace is over, which a second deletion can shorten."""
        process.signal(signal.SIGTERM)
        own = self.pod.runtime.now() + self.pod.grace
        while process.alive:
            over = self.pod.killed_at if self.pod.stopping.is_set() else own
            left = over - self.pod.runtime.now()
            if left <= 0:
                process.signal(signal.SIGKILL)
                return await process.wait()
            self.pod.hurried.clear()
            waits = {
                asyncio.create_task(process.wait()),
                asyncio.create_task(self.pod.hurried.wait()),
            }
            _, slow = await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for task in slow:
                task.cancel()
        return await process.wait()

    async def _back_off(self, seconds: float, message: str) -> None:
        """Between two lives: the last one is kept as ``lastState``."""
        self.state.last = self.state.state
        if seconds > 0:
            self.event("Warning", "BackOff", f"Back-off restarting failed container {self.name}")
            self.state.state = crash_loop(self.pod.obj, self.name, seconds)
            self.pod.publish()
            await self.pod.pause(seconds)

    def _wait_state(self, reason: str, message: str) -> None:
        self.state.state = {"waiting": {"reason": reason, "message": message}}
        self.pod.publish()

    def event(self, type_: str, reason: str, message: str) -> None:
        self.pod.event(type_, reason, message, f"spec.containers{{{self.name}}}")
