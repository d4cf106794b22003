"""What the runner knows of the world while it runs: the logs so far, read in small steps."""

from __future__ import annotations

from collections import Counter

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import Track, consumer_uid, deleting, phase, state
from scenarios.engine.invariants.operations import Header
from scenarios.engine.measures import sets_owner
from scenarios.engine.progress import Snapshot
from scenarios.engine.settling import Unrest, host_unrest, unsettled
from scenarios.engine.world import World

PAGE = 500
"""A reading with at least so many entries is followed by another one at once."""


class Watcher:
    """Reads the world's logs into the evidence and answers what acts wait for."""

    def __init__(self, world: World, evidence: Evidence) -> None:
        self._world = world
        self._evidence = evidence
        self._bmc_due = 0.0
        self._fresh = True
        self._unrest: list[Unrest] = []
        self._restless: Track | None = None
        self.claimed: set[str] = set()
        """Machines (by uid) that owned a host at some time."""
        self.provisioned: set[str] = set()
        self.attempts = 0
        self.conflicts = 0
        self.bmc_writes = 0

    def read(self) -> None:
        """Take in what was written since the last call; the BMCs' log as often as it may be read.

        Only the progress and faults look at that one.
        """
        self.read_writes()
        now = self._world.runtime.now()
        if now >= self._bmc_due:
            self._bmc_due = now + self._world.bmc_log_pause
            self.read_bmc()

    def read_writes(self) -> None:
        while True:
            records, _ = self._world.writes(self._evidence.last_write)
            self._evidence.add_writes(records)
            for record in records:
                self._fresh = True
                if sets_owner(record):
                    self.attempts += record.outcome in ("ok", "Conflict")
                    self.conflicts += record.outcome == "Conflict"
                if record.outcome != "ok":
                    continue
                if record.kind == PHYSICAL_HOST.kind and (uid := consumer_uid(record.object)):
                    self.claimed.add(uid)
                elif record.kind == BESKAR7_MACHINE.kind and phase(record.object) == "Provisioned":
                    self.provisioned.add(record.uid)
            if len(records) < PAGE:
                return

    def read_bmc(self) -> None:
        evidence = self._evidence
        while True:
            requests, events = self._world.bmc_log(evidence.last_request, evidence.last_event)
            evidence.add_bmc(requests, events)
            self._fresh = self._fresh or bool(requests)
            self.bmc_writes += sum(bool(request.action) for request in requests)
            if len(requests) < PAGE and len(events) < PAGE:
                return

    def read_all(self) -> None:
        """Read both logs so that neither lacks what the other one refers to."""
        self.read_bmc()
        self.read_writes()
        self.read_bmc()

    def unrest(self) -> list[Unrest]:
        """What is not at rest by now."""
        evidence = self._evidence
        if self._fresh or evidence.faults:
            self._unrest = unsettled(evidence.history, self._blocked(), evidence.hardware)
            self._fresh = False
        return self._unrest

    def at_rest(self) -> bool:
        """Whether everything is. Cheap while the host that was not the last time still is not."""
        if self._restless is not None and host_unrest(self._restless, self._blocked()):
            return False
        found = self.unrest()
        first = found[0].track if found else None
        hosts = self._evidence.history.hosts
        self._restless = hosts.get(first.uid) if first is not None else None
        return not found

    def _blocked(self) -> set[str]:
        evidence = self._evidence
        return evidence.blocked_hosts(self._world.runtime.now()) if evidence.faults else set()

    def hosts_by_state(self) -> Counter[str]:
        tracks = self._evidence.history.hosts.values()
        return Counter(state(track.last) or "None" for track in tracks if not track.gone)

    def machines(self) -> list[Track]:
        """Machines that exist, by creation, those under deletion included."""
        tracks = self._evidence.history.machines.values()
        return [track for track in tracks if not track.gone]

    def owners(self) -> set[str]:
        """Uids that own a host now."""
        return {consumer_uid(track.last) for track in self._evidence.history.hosts.values()}

    def mid_provision(self) -> set[str]:
        """Uids of machines whose BMC has got a write of a provision operation, but no reset yet."""
        self.read_bmc()
        actions: dict[str, set[str]] = {}
        for request in self._evidence.requests:
            header = Header.parse(request.operation)
            if request.action and header.kind == "provision":
                actions.setdefault(header.consumer, set()).add(request.action.partition(":")[0])
        return {uid for uid, seen in actions.items() if "reset" not in seen}

    def machines_by_phase(self) -> Counter[str]:
        """Provisioned, Claimed (owns a host), Waiting, Deleting."""
        owners = self.owners()
        counts: Counter[str] = Counter()
        for track in self.machines():
            if deleting(track.last):
                counts["Deleting"] += 1
            elif phase(track.last) == "Provisioned":
                counts["Provisioned"] += 1
            else:
                counts["Claimed" if track.uid in owners else "Waiting"] += 1
        return counts

    def snapshot(self, stage: str, acts_done: int, next_act: str) -> Snapshot:
        evidence = self._evidence
        return Snapshot(
            stage=stage,
            elapsed=self._world.runtime.now() - evidence.began,
            hosts=self.hosts_by_state(),
            machines=self.machines_by_phase(),
            managers=tuple(self._world.managers()),
            attempts=self.attempts,
            conflicts=self.conflicts,
            bmc_requests=len(evidence.requests),
            bmc_writes=self.bmc_writes,
            acts_done=acts_done,
            acts=len(evidence.scenario.played),
            next_act=next_act,
        )
