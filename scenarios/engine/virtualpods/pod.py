"""A pod in virtual time: its manager as a simulated process, its status in the store, its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from beskar7.api.errors import ApiError
from beskar7.api.kinds import CONFIG_MAP, SECRET
from beskar7.api.objects import Object
from beskar7.flags import parsed_settings
from beskar7.manager import Manager
from beskar7.runtime import Event
from beskar7.runtime.virtual import VirtualProcess, VirtualTask
from beskar7.settings import ManagerSettings
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.store import Store
from emulator.kube.workloads import environment, images
from emulator.kube.workloads.container import CANNOT_START
from emulator.kube.workloads.events import Recorder
from emulator.kube.workloads.keeper import KUBELET, publish
from emulator.kube.workloads.limits import OOM_KILLED, PERIOD, Limits
from emulator.kube.workloads.objects import POD, key, meta, spec
from emulator.kube.workloads.podstatus import (
    Backoff,
    ContainerState,
    crash_loop,
    identity,
    last_words,
    restarts,
    terminated,
)
from emulator.kube.workloads.prober import FAST
from emulator.kube.workloads.probes import Probe, Verdict
from scenarios.engine.virtualpods.resources import start_seconds

log = logging.getLogger(__name__)

MISUSED, KILLED, TERMINATED = 2, 137, 143
"""Exit codes: of a command line that is wrong, by SIGKILL, by SIGTERM before it is handled."""
NODE_ADDRESS = "10.0.0.1"


@dataclass(frozen=True, slots=True)
class Life:
    """A manager that runs: ``stop`` asks it to end, ``main`` is done when it has.

    ``memory`` tells the bytes that it needs by itself.
    """

    process: VirtualProcess
    manager: Manager
    stop: Event
    main: VirtualTask
    memory: Callable[[], int]

    @property
    def code(self) -> int:
        """The exit code, once ``main`` is done and before anybody tidies up the process."""
        if not self.process.alive:
            return KILLED
        return 0 if self.main.error is None else 1


class Launch(Protocol):
    def __call__(
        self, life: str, pod: str, settings: ManagerSettings, *, cores: float | None = None
    ) -> Life:
        """Start a manager: one life of a pod, with so much of the processor (None: all)."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """What all pods share. ``say`` adds a line to a pod's log, ``log`` reads its lines since a
    time; ``leaking`` tells by how many bytes a second a pod grows; ``runtime`` is the kubelet's
    process."""

    store: Store
    runtime: VirtualProcess
    events: Recorder
    launch: Launch
    say: Callable[[str, str], None]
    log: Callable[[str, float], Sequence[str]]
    leaking: Callable[[str], float]


class VirtualPod:
    """Runs the first container of a pod, from :meth:`run` until :meth:`stop` has had its effect."""

    def __init__(self, node: Node, obj: Object, ip: str) -> None:
        self.obj = obj
        self.ip = ip
        self.life: Life | None = None
        self._node = node
        self._runtime = node.runtime
        self._news = node.runtime.event()
        self._killed_at = float("inf")
        self._gone = False
        self._reason = ""
        self._container: Object = (spec(obj).get("containers") or [{}])[0]
        self._backoff = Backoff()
        self._limits = Limits.of(self._container)
        self._lost = 0.0
        self._state = ContainerState(
            self._container.get("name", ""), self._container.get("image", "")
        )

    @property
    def uid(self) -> str:
        uid: str = meta(self.obj)["uid"]
        return uid

    @property
    def name(self) -> str:
        name: str = meta(self.obj)["name"]
        return name

    @property
    def identity(self) -> str:
        """Of the present life."""
        return identity(self.obj, self._state.restarts)

    def memory(self) -> int:
        """Bytes that the pod needs."""
        return 0 if self.life is None else self.life.memory() + int(self._lost)

    @property
    def stopping(self) -> bool:
        return self._killed_at < float("inf")

    def stop(self, grace: float) -> None:
        self._killed_at = min(self._killed_at, self._runtime.now() + max(grace, 0.0))
        self._news.set()

    def vanish(self, grace: float = 0.0) -> None:
        self._gone = True
        self.stop(grace)

    def kill(self, reason: str = "") -> None:
        """SIGKILL to what runs; ``reason`` is told in place of the usual one."""
        if self.life is not None:
            self._reason = reason
            self.life.process.kill()

    def run(self) -> None:
        """Until the container has ended for good; then the pod leaves the store if it must."""
        self._publish()
        if images.is_manager(self._state.image):
            self._event(
                "Normal", "Pulled", f'Container image "{self._state.image}" already present'
            )
            self._live()
        else:
            self._never_pulled()
        self._publish()
        while not self.stopping:
            self._pause(float("inf"))
        if not self._gone:
            try:
                self._node.store.delete(POD, *key(self.obj), uid=self.uid, grace=0, call=KUBELET)
            except ApiError as error:
                log.debug("pod %s: %s", self.name, error.message)

    def _live(self) -> None:
        while not self.stopping:
            begun = self._runtime.now()
            started = rfc3339(self._runtime.wall())
            code, message = self._one_life(started)
            reason, self._reason = self._reason, ""
            at = rfc3339(self._runtime.wall())
            id = "" if message else self._state.id
            said = last_words(self._container, code, self._node.log(self.name, begun))
            over = terminated(code, started, at, id, message, said, reason)
            self._state.state = {"terminated": over}
            self._state.ready = self._state.started = False
            self._publish()
            if self.stopping or not restarts(self.obj, code):
                return
            self._back_off(self._backoff.wait(self._runtime.now() - begun))
            self._state.restarts += 1

    def _never_pulled(self) -> None:
        words = images.pull_error(self._state.image)
        self._event("Warning", "Failed", words)
        self._state.state = {"waiting": {"reason": "ErrImagePull", "message": words}}
        self._publish()

    def _one_life(self, started: str) -> tuple[int, str]:
        """The exit code, and why it could not start."""
        try:
            known = environment.variables(
                self.obj, self._container, self._lookup, pod_ip=self.ip, host_ip=NODE_ADDRESS
            )
            words = images.flags(self._container, environment.arguments(self._container, known))
        except (environment.ConfigurationError, images.StartRefused) as error:
            self._event("Warning", "Failed", f"Error: {error}")
            return CANNOT_START, f"failed to create containerd task: {error}"
        self._state.id = f"process://{self.identity}"
        self._state.state = {"running": {"startedAt": started}}
        self._event("Normal", "Created", f"Created container {self._state.name}")
        self._event("Normal", "Started", f"Started container {self._state.name}")
        self._publish()
        luck = self._runtime.rng(f"manager-start/{self.identity}").random()
        ready_at = self._runtime.now() + start_seconds(luck, self._limits.cores)
        while self._runtime.now() < ready_at:
            if self.stopping:
                return TERMINATED, ""
            self._pause(ready_at - self._runtime.now())
        try:
            settings = parsed_settings([f"--identity={self.identity}", *words], known)
        except ValueError as error:
            self._node.say(self.name, f"beskar7 manager: error: {error}")
            return MISUSED, ""
        self._lost = 0.0
        self.life = self._node.launch(self.identity, self.name, settings, cores=self._limits.cores)
        self._runtime.spawn(self._await_end, self.life.main, name=f"{self.name}/exit")
        self._serve(self.life)
        code = self.life.code
        self.life.process.kill()
        self.life = None
        return code, ""

    def _await_end(self, main: VirtualTask) -> None:
        main.join()
        self._news.set()

    def _serve(self, life: Life) -> None:
        """Ask for readiness as the probe says, until the manager ends or the pod is to stop."""
        now = self._runtime.now
        self._state.started = True
        probe = Probe.read(self._container, "Readiness")
        self._state.ready = probe is None
        self._publish()
        verdict = None if probe is None else Verdict(probe, healthy=False)
        been_ready = False
        next_look = now() + (probe.delay if probe else float("inf"))
        looked = now()
        while not life.main.done and not self.stopping:
            if probe is not None and verdict is not None and now() >= next_look:
                if verdict.observe(life.manager.ready):
                    self._state.ready = verdict.healthy
                    been_ready = been_ready or verdict.healthy
                    self._publish()
                next_look = now() + (probe.period if been_ready else min(FAST, probe.period))
            self._pause(min(next_look - now(), PERIOD))
            self._lost += self._node.leaking(self.name) * (now() - looked)
            looked = now()
            if self._limits.oom(self.memory()):
                self.kill(OOM_KILLED)
        if not life.main.done:
            self._event("Normal", "Killing", f"Stopping container {self._state.name}")
            life.stop.set()
        while not life.main.done:
            if now() >= self._killed_at:
                life.process.kill()
                life.main.join()
            else:
                self._pause(self._killed_at - now())

    def _back_off(self, seconds: float) -> None:
        """Between two lives: the last one is kept as ``lastState``."""
        self._state.last = self._state.state
        if seconds <= 0:
            return
        restarting = f"Back-off restarting failed container {self._state.name}"
        self._event("Warning", "BackOff", restarting)
        self._state.state = crash_loop(self.obj, self._state.name, seconds)
        self._publish()
        until = self._runtime.now() + seconds
        while not self.stopping and self._runtime.now() < until:
            self._pause(until - self._runtime.now())

    def _pause(self, seconds: float) -> None:
        """Until there is news of the pod or of its manager, or the time is over."""
        self._news.wait(None if seconds == float("inf") else max(0.0, seconds))
        self._news.clear()

    def _lookup(self, kind: str, name: str) -> Object | None:
        wanted = SECRET if kind == "Secret" else CONFIG_MAP
        try:
            return self._node.store.get(wanted, meta(self.obj)["namespace"], name).obj
        except ApiError:
            return None

    def _publish(self) -> None:
        if self._gone:
            return
        try:
            publish(self._node.store, self.obj, [self._state], ip=self.ip, host_ip=NODE_ADDRESS)
        except ApiError as error:
            log.debug("the status of pod %s: %s", self.name, error.message)

    def _event(self, type_: str, reason: str, message: str) -> None:
        field = f"spec.containers{{{self._state.name}}}"
        self._node.events.event(POD, self.obj, type_, reason, message, field)
