"""What happened in a lab: its logs as evidence, judged, told as a timeline, and kept in files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import LEASE
from beskar7.term import MANAGER_LEASE
from beskar7_harness.errors import LabError
from scenarios.engine.acts import Stage
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import SYSTEM_NAMESPACE
from scenarios.engine.history import dig
from scenarios.engine.invariants import Violation, judge
from scenarios.engine.result import Result
from scenarios.engine.schema import Action
from scenarios.engine.story.chapters import about, tell_whole
from scenarios.engine.story.entries import entries
from scenarios.engine.story.recording import Recording
from scenarios.engine.story.text import chapter_lines, table
from scenarios.engine.trial import rules_of, verdict
from scenarios.engine.watching import Watcher
from scenarios.engine.world import World, WorldError

SHOWN = 40
"""Lines of a timeline in a test's output: its begin is left out, the kept files have it all."""


LAST = 20
"""The same of a lab as a whole."""


class Chronicle:
    """Reads logs without a word to the world, so that a run that is looked at stays the same run.

    What asks the world is to be called where waiting is allowed (:mod:`beskar7_harness.clocks`):
    :meth:`perform`, :meth:`leader` and :meth:`read_metrics`.
    """

    def __init__(self, world: World, evidence: Evidence) -> None:
        self.world = world
        self.evidence = evidence
        evidence.began = evidence.load_began = evidence.ended = world.runtime.now()
        self._watcher = Watcher(world, evidence)
        self._stage = Stage(world, evidence, self._watcher, lambda _: None)

    def read(self) -> None:
        """Take in what was logged since the last call. Raises LabError."""
        try:
            self._watcher.read_all()
        except WorldError as error:
            raise LabError(str(error)) from None

    def perform(self, action: Action) -> None:
        """Do it, and note when. Raises LabError."""
        try:
            self._stage.perform(action)
        except (WorldError, ApiError) as error:
            raise LabError(str(error)) from None

    def leader(self) -> str:
        try:
            lease = self.world.kube.get(LEASE, SYSTEM_NAMESPACE, MANAGER_LEASE)
        except NotFound:
            return ""
        return str(dig(lease, "spec", "holderIdentity") or "")

    def read_metrics(self) -> None:
        self.evidence.manager_metrics = self.world.manager_metrics()

    def violations(self, names: Sequence[str], since: float) -> list[Violation]:
        """Of these invariants, from ``since`` (``runtime.now()``) on; by time."""
        self.conclude("")
        found = [
            violation
            for result in judge(self.evidence, rules_of(self.evidence.scenario))
            if result.name in names
            for violation in result.violations
            if violation.time >= since
        ]
        return sorted(found, key=lambda violation: violation.time)

    def timeline(self, host: str, machine: str) -> list[str]:
        """What happened to a host or a machine; without a name, the last things that happened."""
        self.conclude("")
        recording = Recording.of(self._result())
        if not host and not machine:
            return table([e for e in entries(recording) if not e.quiet][-LAST:], recording)
        told = chapter_lines(
            recording,
            chapter := about(recording, host, machine),
            tell_whole(chapter, entries(recording)),
        )
        first = told.index("") + 2
        head, rows = told[:first], told[first:]
        if len(rows) > SHOWN:
            rows = [f"        ... {len(rows) - SHOWN} lines before", *rows[-SHOWN:]]
        return [*head, *rows]

    def situation(self) -> list[str]:
        """How many hosts and machines are what, for a test that failed without naming one."""
        self.conclude("")
        hosts, machines = self._watcher.hosts_by_state(), self._watcher.machines_by_phase()
        said = [
            f"{name}: " + (", ".join(f"{n} {what}" for what, n in sorted(counts.items())) or "none")
            for name, counts in (("hosts", hosts), ("machines", machines))
        ]
        living = [name for name, alive in self.world.managers() if alive]
        hold = self.evidence.history.lease_at(self.evidence.ended)
        leader = hold.holder if hold is not None else ""
        said.append(f"managers: {', '.join(living) or 'none'}; leader: {leader or 'nobody'}")
        return said

    def conclude(self, reason: str) -> None:
        """This is the end, or is taken for it."""
        evidence = self.evidence
        evidence.trace_hash = getattr(self.world.runtime, "trace_hash", None)
        evidence.ended = self.world.runtime.now()
        evidence.ending, evidence.reason = "interrupted", reason
        try:
            self._watcher.read_all()
            evidence.complete = True
        except (WorldError, ApiError, OSError):
            evidence.complete = False

    def save(self, folder: Path, logs: Path | None) -> None:
        """Report, verdict, timelines and logs; of ``logs`` the processes' own. Raises OSError."""
        from scenarios.engine.keeping import save  # jinja2 takes its time; few tests fail

        save(self._result(), folder)
        for log in sorted(logs.glob("*.log")) if logs is not None else ():
            shutil.copy(log, folder / log.name)

    def _result(self) -> Result:
        requests = [r for r in self.evidence.requests if r.start <= self.evidence.ended]
        return verdict(replace(self.evidence, requests=requests), 0.0)
