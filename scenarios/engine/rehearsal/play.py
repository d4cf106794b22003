"""Plays the acts of a rehearsal beside the runner: it is asked at each news what is due."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.api.durations import format_duration
from scenarios.engine.acts import Stage
from scenarios.engine.evidence import Evidence, Incident
from scenarios.engine.rehearsal.conditions import Condition, Happening
from scenarios.engine.rehearsal.hands import LOOK, Work
from scenarios.engine.rehearsal.record import Part, PartName, Step
from scenarios.engine.rehearsal.sight import LOOKED_AT, Seen, Sight
from scenarios.engine.schema import Rehearsal
from scenarios.engine.watching import Watcher
from scenarios.engine.world import World

LOOK_SECONDS = 1.0
"""Between two looks at what the API's write log does not tell of."""


class Play:
    """From the load's begin on. ``evidence.parts`` grows with it.

    ``by_operator``: the remedy is somebody else's, and the recovery is awaited for so many seconds
    from the symptom on, whatever its own times say.
    """

    def __init__(
        self,
        script: Rehearsal,
        world: World,
        evidence: Evidence,
        watcher: Watcher,
        stage: Stage,
        note: Callable[[str], None],
        *,
        by_operator: float | None = None,
    ) -> None:
        self._script = script
        self._world = world
        self._evidence = evidence
        self._stage = stage
        self._note = note
        self._patience = by_operator
        self.sight = Sight(world, evidence, watcher, (*script.symptom, *script.recovery))
        self._start = self.sight.base()
        self._base = self._start
        self._work: Work | None = None
        self._held: list[float | None] = []
        self._repairs: list[Step] = []
        self._looked = 0.0
        self.fell_short = ""
        """Why it cannot go on, in words; empty while it can."""
        steps = [Step(f"fault {fault['id']}") for fault in evidence.scenario.faults]
        self._begin("cause", [*steps, *(Step(str(act)) for act in script.cause)])

    @property
    def part(self) -> Part:
        return self._evidence.parts[-1]

    @property
    def pending(self) -> bool:
        """Whether an act is still to come to its end."""
        return not self.fell_short and (self.part.name != "recovery" or self.part.ended is None)

    def due_at(self) -> float | None:
        """When it has to be asked at the latest (``runtime.now()``)."""
        if not self.pending:
            return None
        due = [self.sight.next_look()]
        if self._work is not None:
            due.append(self._world.runtime.now() + LOOK)
        if self.part.name in ("symptom", "recovery"):
            due += self._due_of_conditions()
        return min((at for at in due if at is not None), default=None)

    def _due_of_conditions(self) -> list[float]:
        now = self._world.runtime.now()
        due = []
        for condition, step, held in zip(
            self._conditions(), self.part.steps, self._held, strict=True
        ):
            due.append(self.part.began + (step.within or 0.0))
            if held is not None:
                due.append(held + condition.lasting)
            if not _told(condition):
                due.append(self._looked + LOOK_SECONDS)
        return [at for at in due if at > now]

    def advance(self) -> None:
        """Do what is due, and see whether what is awaited has come."""
        if not self.pending:
            return
        self.sight.look()
        match self.part.name:
            case "cause":
                self._cause()
            case "remedy":
                self._remedy()
            case _:
                self._await()

    def _begin(self, name: PartName, steps: list[Step]) -> None:
        now = self._world.runtime.now()
        self._evidence.parts.append(Part(name, now, steps=steps))
        self._evidence.incidents.append(Incident(now, name, "", "begins"))
        self._held = [None] * len(steps)
        self._looked = now - LOOK_SECONDS

    def _end(self) -> None:
        """This act is done; the next begins."""
        now = self._world.runtime.now()
        part = self.part
        part.ended = now
        took = format_duration(round(now - part.began, 1))
        match part.name:
            case "cause":
                self._note("the cause is played; the symptoms are awaited")
                self._begin("symptom", [Step(str(c), c.within) for c in self._script.symptom])
            case "symptom":
                self._note(f"the symptoms came within {took}")
                self._base = self.sight.base()
                if self._patience is None:
                    self._begin("remedy", [Step(str(action)) for action in self._script.remedy])
                else:
                    self._begin_recovery()
            case "remedy":
                self._note(f"the remedy is done, after {took}; the recovery is awaited")
                self._base = self.sight.base()
                self._begin_recovery()
            case "recovery":
                self._note(f"recovered after {took}")
                self._evidence.incidents.append(Incident(now, "recovery", "", "reached"))
                self._tell_repairs()
                return
        self.advance()

    def _begin_recovery(self) -> None:
        patience = self._patience
        steps = [
            Step(str(condition), condition.within if patience is None else patience)
            for condition in self._script.recovery
        ]
        self._begin("recovery", steps)

    def _cause(self) -> None:
        """Which of the acts the stage has performed by now."""
        now = self._world.runtime.now()
        for step in self.part.steps[: len(self._evidence.scenario.faults) + self._stage.done]:
            if step.outcome == "open":
                step.at, step.outcome = now, "done"
        if not self._stage.pending:
            self._end()

    def _remedy(self) -> None:
        """Each step once the one before is done."""
        for number, step in enumerate(self.part.steps):
            if step.outcome == "done":
                continue
            if self._work is None:
                self._note(f"remedy: {step.what}")
                self._work = self._stage.perform(self._script.remedy[number])
            if self._work is not None and not self._work.done:
                return
            if self._work is not None and self._work.error:
                step.outcome, step.seen = "failed", self._work.error
                self.fell_short = f"the remedy failed: {step.what}: {step.seen}"
                return
            self._work = None
            step.at, step.outcome = self._world.runtime.now(), "done"
        self._end()

    def abandon(self) -> None:
        """End what is under way; may be called at any time."""
        if self._work is not None:
            self._work.abandon()

    def repaired(self, what: str, time: float) -> None:
        """The operator did something: what counts for the recovery counts from now on."""
        self._repairs.append(Step(what, at=time, outcome="done"))
        self._base = self.sight.base()

    def _tell_repairs(self) -> None:
        """The operator's remedy is known once its end is: it is what was done before."""
        recovery = self.part
        if self._patience is None or recovery.name != "recovery":
            return
        began, repairs = recovery.began, self._repairs
        ended = min(repairs[-1].at or began, recovery.ended or began) if repairs else began
        ended = max(began, ended)
        recovery.began = ended
        for step in recovery.steps:
            step.at = None if step.at is None else max(step.at, ended)
        self._evidence.parts.insert(-1, Part("remedy", began, ended, repairs))

    def _conditions(self) -> tuple[Condition, ...]:
        return self._script.symptom if self.part.name == "symptom" else self._script.recovery

    def _await(self) -> None:
        """Symptoms may come one after the other; a recovery is all of it at one time."""
        part, now = self.part, self._world.runtime.now()
        latched = part.name == "symptom"
        base = self._start if latched else self._base
        due = now >= self._looked + LOOK_SECONDS
        if due:
            self._looked = now
        for number, (condition, step) in enumerate(
            zip(self._conditions(), part.steps, strict=True)
        ):
            if step.outcome in ("missed", "not judged") or (latched and step.outcome == "came"):
                continue
            late = now >= part.began + (step.within or 0.0)
            if due or late or _told(condition):
                self._look(number, condition, step, self.sight.judge(condition, base))
                if late and step.outcome == "open":
                    step.outcome = "missed"
        outcomes = {step.outcome for step in part.steps}
        if "open" in outcomes:
            return
        if "missed" in outcomes:
            self._fall_short()
        else:
            self._end()

    def _look(self, number: int, condition: Condition, step: Step, seen: Seen) -> None:
        now = self._world.runtime.now()
        step.seen = seen.words
        if seen.holds is None:
            step.outcome = "not judged"
        elif not seen.holds:
            self._held[number] = step.at = None
            step.outcome = "open"
        elif step.outcome == "open":
            held = self._held[number]
            since = self._held[number] = now if held is None else held
            # That happenings stay away for so long is in the judgement itself.
            lasting = 0.0 if isinstance(condition.what, Happening) else condition.lasting
            if now >= since + lasting:
                step.at, step.outcome = now, "came"
                self._note(f"{self.part.name}: {step.what} ({seen.words})")

    def _fall_short(self) -> None:
        missed = [step for step in self.part.steps if step.outcome == "missed"]
        said = [
            f"{step.what} did not come within {format_duration(step.within or 0.0)}, "
            f"there was: {step.seen}"
            for step in missed
        ]
        self.fell_short = f"the {self.part.name} was missed: {'; '.join(said)}"
        self._tell_repairs()


def _told(condition: Condition) -> bool:
    """Whether the API's write log tells of it, so that there is no need to look now and then."""
    if isinstance(condition.what, LOOKED_AT):
        return False
    return not (condition.absent and isinstance(condition.what, Happening))
