"""Performs a scenario's acts on a world, each as soon as its trigger holds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP
from beskar7.config import CONFIG_MAP_NAME
from scenarios.engine.evidence import Evidence, FaultWindow, Incident, ends
from scenarios.engine.expand import SYSTEM_NAMESPACE, machine
from scenarios.engine.history import Track, deleting, phase
from scenarios.engine.rehearsal.hands import LOOK, Work, start
from scenarios.engine.rehearsal.kubectl_commands import Kubectl
from scenarios.engine.rehearsal.remedies import Recover
from scenarios.engine.schema import (
    Act,
    Action,
    AddFault,
    ClearFault,
    Configure,
    CreateMachines,
    DeleteMachines,
    KillManager,
    StartManager,
    Target,
    Trigger,
    Which,
)
from scenarios.engine.watching import Watcher
from scenarios.engine.world import World, WorldError


class Stage:
    """The acts in their order: the next one's trigger counts once the one before is done."""

    def __init__(
        self, world: World, evidence: Evidence, watcher: Watcher, note: Callable[[str], None]
    ) -> None:
        self._world = world
        self._evidence = evidence
        self._watcher = watcher
        self._note = note
        self._acts = list(evidence.scenario.played)
        self._work: Work | None = None
        self._held_since: float | None = None
        self._door_watched = False
        self._restarts: list[float] = []
        self._created = 0
        self.done = 0

    @property
    def next(self) -> Act | None:
        return self._acts[self.done] if self.done < len(self._acts) else None

    @property
    def pending(self) -> bool:
        """Whether something is still to be done."""
        return self.next is not None or bool(self._restarts) or self._work is not None

    def due_at(self) -> float | None:
        """When something is due next, where that is known beforehand (``runtime.now()``)."""
        due = [at for at in (self._act_due_at(), *self._restarts) if at is not None]
        if self._work is not None:
            due = [self._world.runtime.now() + LOOK]
        return min(due, default=None)

    def _act_due_at(self) -> float | None:
        act = self.next
        if act is None:
            return None
        if act.trigger.at is not None:
            return self._evidence.origin + act.trigger.at
        if self._held_since is not None:
            return self._held_since + act.trigger.delay
        return None

    def watch_door(self) -> None:
        """From now on the door of the next act, if it has one, kills."""
        act = self.next
        if act is not None and act.trigger.door is not None and not self._door_watched:
            self._door_watched = True
            self._world.kill_at(act.trigger.door)

    def perform_due(self) -> None:
        """Perform every act whose trigger holds, in order; start again who was to be."""
        now = self._world.runtime.now()
        for _ in [at for at in self._restarts if at <= now]:
            self._incident("start-manager", self._world.start_manager())
        self._restarts = [at for at in self._restarts if at > now]
        while not self._working() and (act := self.next) is not None and self._is_due(act.trigger):
            self._held_since = None
            self._door_watched = False
            self.done += 1
            self._note(f"{act}")
            self._work = self.perform(act.action)
            self._watcher.read_writes()

    def _working(self) -> bool:
        """Whether the act before is still under way. Raises WorldError when it failed."""
        work = self._work
        if work is None:
            return False
        if work.done:
            self._work = None
            if work.error:
                raise WorldError(f"{self._acts[self.done - 1]}: {work.error}")
        return not work.done

    def abandon(self) -> None:
        """End what is under way; may be called at any time."""
        if self._work is not None:
            self._work.abandon()

    def _is_due(self, trigger: Trigger) -> bool:
        now = self._world.runtime.now()
        if trigger.at is not None:
            return now >= self._evidence.origin + trigger.at
        if trigger.door is not None:
            self.watch_door()
            return self._world.killed_at() is not None
        if self._held_since is None and self._holds(trigger):
            self._held_since = now
            if trigger.condition == "settled":
                self._incident("settled")
        return self._held_since is not None and now >= self._held_since + trigger.delay

    def _holds(self, trigger: Trigger) -> bool:
        match trigger.condition:
            case "claimed":
                return len(self._watcher.claimed) >= trigger.count
            case "provisioned":
                return len(self._watcher.provisioned) >= trigger.count
            case _:
                everything = self._created >= self._evidence.scenario.load.machines
                return everything and self._watcher.at_rest()

    def perform(self, action: Action) -> Work | None:
        """Do it; what takes its time goes on beside the caller, who has to wait for its end."""
        match action:
            case Kubectl() | Recover():
                self._incident("kubectl" if isinstance(action, Kubectl) else "recover", f"{action}")
                return start(self._world, action)
            case CreateMachines(count):
                self.create([None] * count)
            case DeleteMachines(count, which):
                self._delete(count, which)
            case KillManager(target, restart):
                killed = self._kill(target)
                if restart is not None:
                    self._restarts.append(killed + restart)
            case StartManager():
                self._incident("start-manager", self._world.start_manager())
            case AddFault(fault):
                self.add_fault(fault)
            case ClearFault(id):
                self._clear(id)
            case Configure(settings):
                self._configure(settings)
        return None

    def _kill(self, target: Target | None) -> float:
        """When a manager was killed: now, unless it was at its door."""
        passage = self._world.killed_at() if target is None else None
        if passage is not None:
            time, identity, detail = passage.time, passage.manager, f"at the {passage.moment}"
            detail = f"{detail} {passage.what}"
        else:
            time = self._world.runtime.now()
            detail = target or "leader"
            identity = self._world.kill_manager(target or "leader")
        self._incident("kill-manager", identity, detail, time)
        return time

    def create(self, variants: Sequence[int | None]) -> range:
        """Create a machine of each of these positions in the mix; None: of the one whose turn it
        is. The numbers of the machines."""
        load = self._evidence.scenario.load
        first = self._created + 1
        for variant in variants:
            self._created += 1
            self._world.kube.create(BESKAR7_MACHINE, machine(load, self._created, variant))
        count = len(variants)
        names = f"machine-{first:03d}" + (f" to {self._created:03d}" if count > 1 else "")
        self._incident("create", names, f"{count} machines")
        return range(first, self._created + 1)

    def remove(self, number: int) -> None:
        """Delete the machine of this number, unless an act did so already."""
        load = self._evidence.scenario.load
        with contextlib.suppress(NotFound):
            name = machine(load, number)["metadata"]["name"]
            self._world.kube.delete(BESKAR7_MACHINE, load.namespace, name)

    def _delete(self, count: int, which: Which) -> None:
        chosen = self._choose(which)[:count]
        for track in chosen:
            namespace = self._evidence.scenario.load.namespace
            try:
                self._world.kube.delete(BESKAR7_MACHINE, namespace, track.name)
            except NotFound:
                continue
        self._incident("delete", "", f"{len(chosen)} machines, {which}")

    def _choose(self, which: Which) -> list[Track]:
        """The machines in the order in which they are to go; ties by creation."""
        alive = [track for track in self._watcher.machines() if not deleting(track.last)]
        match which:
            case "provisioned-first":
                return sorted(alive, key=lambda track: phase(track.last) != "Provisioned")
            case "busy-first":
                busy = self._watcher.mid_provision()
                return sorted(alive, key=lambda track: track.uid not in busy)
            case "waiting-first":
                owners = self._watcher.owners()
                return sorted(alive, key=lambda track: track.uid in owners)
            case "oldest-first":
                return alive
        self._world.runtime.rng("scenario/delete").shuffle(alive)
        return alive

    def add_fault(self, fault: Mapping[str, Any]) -> None:
        now = self._world.runtime.now()
        # Judged is what the ends saw, where a fault of the network is one of the API or of BMCs.
        in_force = self._world.add_fault(fault)
        start = now + fault["start"]
        end = ends(fault, start)
        self._evidence.faults.append(FaultWindow(in_force, start, end))
        self._incident("add-fault", fault["id"], fault["kind"], now)

    def _clear(self, id: str | None) -> None:
        self._world.clear_faults(id)
        self.cleared(id)

    def cleared(self, id: str | None) -> None:
        """A fault, or all for None, was cleared just now, by whomever."""
        now = self._world.runtime.now()
        self._evidence.faults[:] = [
            replace(window, start=min(window.start, now), end=now)
            if id in (None, window.fault["id"]) and (window.end is None or window.end > now)
            else window
            for window in self._evidence.faults
        ]
        self._incident("clear-fault", id or "all")

    def _configure(self, settings: Mapping[str, str]) -> None:
        patch = {"data": dict(settings)}
        self._world.kube.patch(CONFIG_MAP, SYSTEM_NAMESPACE, CONFIG_MAP_NAME, patch)
        said = ", ".join(f"{key}={text}" for key, text in settings.items())
        self._incident("configure", CONFIG_MAP_NAME, said)

    def _incident(
        self, kind: str, subject: str = "", detail: str = "", time: float | None = None
    ) -> None:
        at = self._world.runtime.now() if time is None else time
        self._evidence.incidents.append(Incident(at, kind, subject, detail))
