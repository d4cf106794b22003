"""The operator's side of a rehearsal: what the screen says, and what was typed."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from beskar7.api.durations import format_duration
from beskar7.runtime import QueueEmpty
from emulator.faultcontrol import ControlError
from scenarios.engine.acts import Stage
from scenarios.engine.evidence import Evidence
from scenarios.engine.rehearsal.play import Play
from scenarios.engine.rehearsal.repairs import by_operator, described
from scenarios.engine.rehearsal.show import rounded
from scenarios.engine.schema import ClearFault, Rehearsal

if TYPE_CHECKING:
    from scenarios.engine.live import LiveWorld

HANDS = 1.0
"""Seconds between two looks which faults somebody has cleared."""
KEYS = "Enter or h: the next hint; s: what is still amiss; Ctrl-C: give up."


class OperatorScreen:
    """Told to the runner; see :class:`scenarios.engine.runner.Operator`."""

    def __init__(
        self,
        world: LiveWorld,
        script: Rehearsal,
        patience: float,
        hints: int,
        say: Callable[[str], None],
    ) -> None:
        """``hints`` are given at once; ``patience`` in seconds."""
        self.patience = patience
        self.repairs: list[str] = []
        self._world = world
        self._script = script
        self._say = say
        self._given = 0
        self._wanted = hints
        self._typed = world.runtime.queue()
        self._briefed: float | None = None
        self._told: Sequence[str] = ()
        self._writes = 0
        self._hands_at = 0.0
        self._greeted = False

    def listen(self) -> None:
        """Take what is typed from now on, until the input ends."""
        self._world.runtime.spawn(self._read, name="stdin")

    def _read(self) -> None:
        for line in sys.stdin:
            self._typed.put(line.strip().lower())

    def look(self, play: Play, acts: Stage, evidence: Evidence) -> None:
        if not self._greeted:
            self._greeted = True
            self._greet()
        evidence.hints = self._given
        self._watch_writes(play, evidence)
        self._watch_hands(play, acts, evidence)
        if play.part.name != "recovery":
            return
        if self._briefed is None:
            self._briefed = self._world.runtime.now()
            self._brief(evidence)
        self._tell_changes(play)
        self._answer(play)
        evidence.hints = self._given

    def _greet(self) -> None:
        lab = self._world.lab
        self._say("The lab is up. In another terminal:\n")
        self._say(f"  export KUBECONFIG={shlex.quote(str(lab.kubeconfig))}")
        self._say("  kubectl get physicalhosts,beskar7machines; beskar7 doctor\n")
        self._say("Something is about to go wrong; wait for the alarm.")

    def _brief(self, evidence: Evidence) -> None:
        """What somebody on call is told: what was seen, and not why."""
        symptoms = next(part for part in evidence.parts if part.name == "symptom")
        self._say(f"\nALARM, after {rounded(symptoms.seconds or 0.0)}. This is what is seen:\n")
        for step in symptoms.steps:
            seen = f": {step.seen}" if step.seen else ""
            self._say(f"  - {step.what}{seen}")
        self._say("\nIt is repaired when, at one time:\n")
        for condition in self._script.recovery:
            self._say(f"  - {condition}")
        if any(isinstance(action, ClearFault) for action in self._script.remedy):
            lab = shlex.quote(str(self._world.lab.directory))
            self._say("\nWhat needs hands in the data centre, they do by:")
            self._say(f"  beskar7 faults list --lab {lab}")
            self._say(f"  beskar7 faults clear ID --lab {lab}")
        self._say(f"\nRepair it within {format_duration(self.patience)}. {KEYS}\n")

    def _at(self) -> str:
        now = self._world.runtime.now()
        return f"[+{now - (self._briefed if self._briefed is not None else now):6.1f} s]"

    def _watch_writes(self, play: Play, evidence: Evidence) -> None:
        """Tell who changed what, and count it as a repair if it was not refused.

        What is written before the alarm is the cause's own doing.
        """
        writes = evidence.history.writes
        fresh = writes[self._writes :] if self._briefed is not None else ()
        for record in fresh:
            if not by_operator(record):
                continue
            told = described(record)
            self._say(f"{self._at()} {told}")
            if record.outcome == "ok":
                self._repaired(play, told, record.time)
        self._writes = len(writes)

    def _watch_hands(self, play: Play, acts: Stage, evidence: Evidence) -> None:
        """Faults that are gone though nobody here has cleared them."""
        now = self._world.runtime.now()
        if now < self._hands_at:
            return
        self._hands_at = now + HANDS
        open_ended = [str(w.fault["id"]) for w in evidence.faults if w.end is None]
        if not open_ended:
            return
        lab = self._world.lab
        with contextlib.suppress(ControlError):
            there = {str(fault["id"]) for fault in [*lab.fleet.faults(), *lab.api.faults()]}
            for id in open_ended:
                if id not in there:
                    acts.cleared(id)
                    told = f"hands: the fault {id} is cleared"
                    self._say(f"{self._at()} {told}")
                    self._repaired(play, told, now)

    def _repaired(self, play: Play, told: str, time: float) -> None:
        self.repairs.append(told)
        play.repaired(told, time)

    def _tell_changes(self, play: Play) -> None:
        """Conditions of the recovery that hold now and did not, or the other way round."""
        outcomes = [step.outcome for step in play.part.steps]
        for step, before in zip(play.part.steps, self._told, strict=False):
            if step.outcome != before:
                word = "now" if step.outcome == "came" else "no longer"
                self._say(f"{self._at()} {word}: {step.what} ({step.seen})")
        self._told = outcomes

    def _answer(self, play: Play) -> None:
        """The hints that were asked for, by option or by key."""
        while self._given < self._wanted and self._hint():
            pass
        with contextlib.suppress(QueueEmpty):
            while True:
                typed = self._typed.get(0)
                if typed in ("", "h"):
                    self._hint()
                elif typed == "s":
                    for step in play.part.steps:
                        mark = "ok " if step.outcome == "came" else "-> "
                        self._say(f"  {mark}{step.what}: {step.seen}")
                else:
                    self._say(f"  {KEYS}")

    def _hint(self) -> bool:
        """Whether there was one."""
        hints = self._script.hints
        if self._given >= len(hints):
            self._say("  There is no further hint.")
            return False
        self._given += 1
        self._say(f"  hint {self._given} of {len(hints)}: {hints[self._given - 1]}")
        return True


class OnlyNotes:
    """The progress before the briefing, without what would give the cause away."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def update(self, snapshot: Callable[[], object]) -> None:
        pass

    def note(self, elapsed: float, text: str) -> None:
        if text.startswith(("starting", "all ")):
            self._say(f"[{elapsed:6.1f} s] {text}")

    def close(self) -> None:
        pass


def told_hints(given: int, hints: Sequence[str]) -> str:
    return f"{given} of {len(hints)} hints" if hints else "no hints"


def summary(evidence: Evidence, hints: Sequence[str]) -> Mapping[str, str]:
    """How it ended, by what: for the last words and for scripts."""
    parts = {part.name: part for part in evidence.parts}
    symptom, recovery = parts.get("symptom"), parts.get("recovery")
    found = {"hints": told_hints(evidence.hints or 0, hints)}
    if recovery is not None and recovery.ended is not None and symptom and symptom.ended:
        found["recovered"] = rounded(recovery.ended - symptom.ended)
        found["after_repair"] = rounded(recovery.seconds or 0.0)
    return found
