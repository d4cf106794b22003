"""Runs one scenario in one world, on whichever clock that world has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from beskar7.api.durations import format_duration
from beskar7.api.errors import ApiError
from scenarios.engine.acts import Stage
from scenarios.engine.evidence import Aftermath, Evidence, Incident
from scenarios.engine.progress import Progress, Silent
from scenarios.engine.rehearsal.play import Play
from scenarios.engine.schema import Scenario
from scenarios.engine.traffic import Demand, Traffic
from scenarios.engine.watching import Watcher
from scenarios.engine.world import World, WorldError

SATURATION_SECONDS = 1.0
"""Between two samples of how busy the harness is."""
AFTERMATH_SECONDS = 20.0
"""From rest to the last look into the managers: watches are back within ten seconds of a fault
(the reflector's longest retry), and Events are written within a few."""
REST = 30.0
"""Seconds from an operator's recovery on in which the world comes to rest, or is left as it is."""
SHOWN = 3
"""Culprits named when time runs out."""


class Operator(Protocol):
    """Who repairs in a rehearsal, outside of the runner."""

    patience: float
    """Seconds from the symptoms on within which the recovery has to be reached."""

    def look(self, play: Play, acts: Stage, evidence: Evidence) -> None:
        """Called at each news, and a few times a second."""
        ...


Load = Callable[[World, Evidence], Demand]
"""Puts a load on the world instead of the scenario's own, from ``evidence.load_began`` on."""


class Run:
    """One run. ``evidence`` grows from the beginning on, so a broken-off run leaves its part.

    Call :meth:`body` once, from the task that is to drive the world.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        clock: str,
        seed: int,
        progress: Progress | None = None,
        operator: Operator | None = None,
        load: Load | None = None,
    ) -> None:
        """``operator``: who is to find the remedy of the scenario's rehearsal."""
        self.scenario = scenario
        self.evidence = Evidence(scenario, clock, seed)
        self._progress: Progress = progress or Silent()
        self._stage = "starting"
        self._watcher: Watcher | None = None
        self._acts: Stage | None = None
        self._rehearsal: Play | None = None
        self._operator = operator
        self._load = load
        self._demand: Demand | None = None

    def body(self, world: World) -> None:
        """Put the world up, run the scenario, read the logs to their end, take the world down.

        How it ended is in ``evidence.ending``. KeyboardInterrupt passes through, after the world
        is down.
        """
        evidence = self.evidence
        try:
            self._drive(world)
        except KeyboardInterrupt:
            evidence.ending, evidence.reason = "interrupted", "by the user"
            raise
        except WorldError as error:
            evidence.ending, evidence.reason = "failed", str(error)
        except ApiError as error:
            said = f"the API refused the runner: {error.reason}: {error.message}"
            evidence.ending, evidence.reason = "failed", said
        finally:
            try:
                self._abandon()
                self._finish(world)
            finally:
                world.stop()
                evidence.trace_hash = getattr(world.runtime, "trace_hash", None)
                self._progress.close()

    def _drive(self, world: World) -> None:
        evidence = self.evidence
        evidence.began = evidence.ended = world.runtime.now()
        hosts, managers = self.scenario.world.hosts.count, self.scenario.world.managers.replicas
        self._note(world, f"starting a world of {hosts} hosts and {managers} managers")
        world.start()
        self._watcher = watcher = Watcher(world, evidence)
        acts = Stage(world, evidence, watcher, lambda text: self._note(world, text))
        self._acts = acts
        if self._enrol(world, watcher, acts):
            self._play(world, watcher, acts)

    def _enrol(self, world: World, watcher: Watcher, acts: Stage) -> bool:
        """Wait until every host is Available."""
        self._stage = "enrolling"
        wanted = self.scenario.world.hosts.count
        deadline = self.evidence.began + self.scenario.limits.enrol_timeout
        while True:
            watcher.read()
            states = watcher.hosts_by_state()
            if states["Available"] == wanted:
                self._note(world, f"all {wanted} hosts are Available")
                return True
            left = deadline - world.runtime.now()
            if left <= 0:
                counts = ", ".join(f"{count} {name}" for name, count in sorted(states.items()))
                limit = format_duration(self.scenario.limits.enrol_timeout)
                self.evidence.ending = "not enrolled"
                self.evidence.reason = f"after {limit} the {wanted} hosts are: {counts or 'absent'}"
                return False
            self._show(watcher, acts)
            world.await_news(left)

    def _play(self, world: World, watcher: Watcher, acts: Stage) -> None:
        """The load and the acts, until everything is done and at rest, or time is over."""
        evidence, runtime = self.evidence, world.runtime
        self._stage = "running"
        world.saturation()
        began = evidence.load_began = runtime.now()
        evidence.baseline = world.look()
        evidence.incidents.append(Incident(began, "load", "", f"{self.scenario.load.machines}"))
        self._note(world, f"the load begins: {self.scenario.load.machines} machines")
        traffic = self._demand = self._traffic(world)
        for fault in self.scenario.faults:
            acts.add_fault(fault)
        acts.watch_door()
        rehearsal = self._rehearse(world, watcher, acts)
        sample_at = began + SATURATION_SECONDS
        end = began + self.scenario.limits.timeout
        while True:
            now = runtime.now()
            if coming := traffic.arriving(now):
                variants = [machine.variant for machine in coming]
                traffic.arrived(acts.create(variants), coming, now)
            for number in traffic.leaving(now):
                acts.remove(number)
            watcher.read()
            acts.perform_due()
            if rehearsal is not None:
                rehearsal.advance()
                if self._operator is not None:
                    self._operator.look(rehearsal, acts, evidence)
                    if rehearsal.part.name == "recovery" and rehearsal.part.ended is not None:
                        end = rehearsal.part.ended + REST
                if rehearsal.fell_short:
                    evidence.ending, evidence.reason = "unmet", rehearsal.fell_short
                    return
            now = runtime.now()
            if now >= sample_at:
                sample_at = now + SATURATION_SECONDS
                self._sample(world)
            pending = traffic.pending or acts.pending or (rehearsal and rehearsal.pending)
            if not pending and evidence.faults_over(now) and watcher.at_rest():
                evidence.ending = "settled"
                self._note(world, "everything is done and at rest")
                return
            if now >= end:
                self._out_of_time(watcher, acts, traffic.to_come)
                return
            self._show(watcher, acts)
            due = (
                traffic.next_at,
                acts.due_at(),
                rehearsal.due_at() if rehearsal is not None else None,
                evidence.next_fault_change(now),
                end,
            )
            world.await_news(max(0.0, min(at for at in due if at is not None) - now))

    def _traffic(self, world: World) -> Demand:
        if self._load is not None:
            return self._load(world, self.evidence)
        return Traffic(self.scenario.load, world.runtime, self.evidence.origin)

    def _rehearse(self, world: World, watcher: Watcher, acts: Stage) -> Play | None:
        """What plays the scenario's rehearsal, if it has one."""
        script = self.scenario.rehearsal
        if script is None:
            return None
        note = partial(self._note, world)
        patience = None if self._operator is None else self._operator.patience
        self._rehearsal = Play(
            script, world, self.evidence, watcher, acts, note, by_operator=patience
        )
        return self._rehearsal

    def _abandon(self) -> None:
        """End what the load, acts and remedies have under way."""
        for held in (self._demand, self._acts, self._rehearsal):
            if held is not None:
                held.abandon()

    def _out_of_time(self, watcher: Watcher, acts: Stage, arrivals: int) -> None:
        said = [item.message for item in watcher.unrest()]
        why = said[:SHOWN] + ([f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else [])
        if acts.next is not None:
            why.insert(0, f'the act "{acts.next}" was still waiting')
        if self._rehearsal is not None and self._rehearsal.pending:
            why.insert(0, f"the rehearsal was still at its {self._rehearsal.part.name}")
        if arrivals:
            why.insert(0, f"{arrivals} machines were still to come")
        if not why:
            why = ["a fault was still in force"]
        limit = format_duration(self.scenario.limits.timeout)
        self.evidence.ending = "timeout"
        self.evidence.reason = f"after {limit}: {'; '.join(why)}"

    def _finish(self, world: World) -> None:
        """Read the logs to their end, as far as the world still answers."""
        evidence = self.evidence
        watcher = self._watcher
        if watcher is None:
            return
        try:
            evidence.ended = world.runtime.now()
            if evidence.load_began is not None:
                self._sample(world)
            watcher.read_all()
            # What the BMCs saw after this moment refers to writes that were not read any more.
            evidence.requests[:] = [r for r in evidence.requests if r.start <= evidence.ended]
            evidence.complete = True
            evidence.manager_metrics = world.manager_metrics()
            if evidence.ending == "settled" and evidence.baseline is not None:
                self._look_back(world)
        except (WorldError, ApiError, OSError) as error:
            if not evidence.reason:
                evidence.ending, evidence.reason = "failed", f"cannot read the logs: {error}"

    def _look_back(self, world: World) -> None:
        """See what the managers keep and count once all is over."""
        evidence = self.evidence
        world.runtime.sleep(AFTERMATH_SECONDS)
        look = world.look()
        assert look is not None, "a world that could be looked into at the load's begin"
        writes, _ = world.writes(evidence.last_write)
        requests, _ = world.bmc_log(evidence.last_request, evidence.last_event)
        evidence.aftermath = Aftermath(look, writes, requests)

    def _sample(self, world: World) -> None:
        """How busy the harness was since the sample before."""
        for process, share in world.saturation().items():
            self.evidence.saturation.setdefault(process, []).append(share)

    def _show(self, watcher: Watcher, acts: Stage) -> None:
        self._progress.update(
            lambda: watcher.snapshot(self._stage, acts.done, str(acts.next or ""))
        )

    def _note(self, world: World, text: str) -> None:
        self._progress.note(world.runtime.now() - self.evidence.began, text)
