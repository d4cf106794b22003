"""What a run left behind, as its story is told from it: from memory, or from a directory."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from emulator.bmc.log import BmcEvent, BmcRecord
from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.history import MANAGER_AGENT, History, Track, dig
from scenarios.engine.invariants import INVARIANTS, Violation
from scenarios.engine.managerlives import pod_lives
from scenarios.engine.result import Result
from scenarios.engine.targets import CLIENT


@dataclass(frozen=True, slots=True)
class Recording:
    """Times are ``runtime.now()`` of the world; ``origin`` is the zero of what people read.

    ``verdict`` is a line on how it ended, without any time of the wall's clock.
    """

    scenario: str
    clock: str
    seed: int
    verdict: str
    history: History
    requests: Sequence[BmcRecord]
    events: Sequence[BmcEvent]
    incidents: Sequence[Incident]
    faults: Sequence[FaultWindow]
    violations: Sequence[Violation]
    began: float
    origin: float
    ended: float

    @classmethod
    def of(cls, result: Result) -> Recording:
        evidence = result.evidence
        return cls(
            scenario=evidence.scenario.name,
            clock=evidence.clock,
            seed=evidence.seed,
            verdict=summary(result.passed, result.shortfalls()),
            history=evidence.history,
            requests=evidence.requests,
            events=evidence.events,
            incidents=evidence.incidents,
            faults=evidence.faults,
            violations=result.violations,
            began=evidence.began,
            origin=evidence.origin,
            ended=evidence.ended,
        )

    def since(self, time: float) -> float:
        """Seconds since the load's start."""
        return time - self.origin


def fault_hits(recording: Recording) -> dict[str, set[str]]:
    """Hosts that each fault of BMCs has hit, by the id that logs have."""
    found: dict[str, set[str]] = {}
    for request in recording.requests:
        if request.fault:
            found.setdefault(request.fault, set()).add(request.host)
    for event in recording.events:
        if event.fault:
            found.setdefault(event.fault, set()).add(event.host)
    return found


def summary(passed: bool, shortfalls: Sequence[str]) -> str:
    """``held``, or what fell short."""
    return "held" if passed else "not held: " + "; ".join(shortfalls)


def meaning(invariant: str) -> str:
    """What an invariant promises, in a sentence; empty for one that is not known here."""
    check = INVARIANTS.get(invariant)
    said = inspect.getdoc(check[0]) if check else None
    return " ".join((said or "").partition("\n\n")[0].replace("`", "").split())


def who(agent: str) -> str:
    """A User-Agent as people say it: a manager by its identity."""
    if agent == CLIENT:
        return "scenario"
    return agent.removeprefix(MANAGER_AGENT).removeprefix("kube-controller-manager/")


def describe_host(track: Track) -> str:
    """Vendor and rack, by the host's labels."""
    for version in track.versions:
        labels = dig(version.object, "metadata", "labels")
        if isinstance(labels, dict):
            named = (labels.get("beskar7.io/vendor"), labels.get("topology.kubernetes.io/zone"))
            return ", ".join(str(name) for name in named if name)
    return ""


@dataclass(frozen=True, slots=True)
class Life:
    """From when to when a manager lived; ``end`` None: to the end of the run."""

    identity: str
    start: float
    end: float | None
    killed: bool = False

    def alive_at(self, time: float) -> bool:
        return self.start <= time and (self.end is None or time < self.end)


def lives(recording: Recording) -> list[Life]:
    """Every manager that wrote, asked a BMC, was started or killed, by its first appearance.

    The world's first managers are there from its beginning on; acts tell of the others, and of
    pods their kubelet does.
    """
    if pods := pod_lives(recording.history.writes):
        return [Life(life.identity, life.start, life.end, life.failed) for life in pods]
    seen: dict[str, float] = {}
    for write in recording.history.writes:
        if write.client.startswith(MANAGER_AGENT):
            seen.setdefault(write.client.removeprefix(MANAGER_AGENT), recording.began)
    for request in recording.requests:
        if request.agent.startswith(MANAGER_AGENT):
            seen.setdefault(request.agent.removeprefix(MANAGER_AGENT), recording.began)
    ends: dict[str, float] = {}
    for incident in recording.incidents:
        if incident.kind == "start-manager":
            seen[incident.subject] = incident.time
        elif incident.kind == "kill-manager":
            seen.setdefault(incident.subject, recording.began)
            ends[incident.subject] = incident.time
    found = [
        Life(identity, start, ends.get(identity), identity in ends)
        for identity, start in seen.items()
    ]
    return sorted(found, key=lambda life: (life.start, life.identity))
