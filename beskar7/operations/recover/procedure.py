"""How every recovery goes: plan, agree, then step after step, each proven before the next.

What is done, and what has to be restored, is in the cluster before the step that changes it. So a
recovery that was broken off anywhere is carried on, or undone, by whoever runs it next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from beskar7.api.errors import ApiError
from beskar7.api.kinds import Kind
from beskar7.operations.cluster import Cluster
from beskar7.operations.recover.journal import Journal, Record, RecoveryRefused, TakenOver
from beskar7.operations.recover.report import Outcome, Report, StepReport
from beskar7.operations.waiting import Look, NotReached, patiently, wait_until


@dataclass(frozen=True, slots=True)
class Step:
    """``act`` stands to be done again. ``look`` proves it, after each change of a ``watches`` (in
    ``namespace``; None: in all), within ``timeout`` seconds from the step's begin.

    What a step has reached has to last until the step ``until`` begins: whoever carries a recovery
    on does it again if it no longer holds. None: nothing later rests on it.
    """

    name: str
    plan: str
    act: Callable[[], object]
    look: Look
    watches: Kind
    namespace: str | None
    timeout: float
    until: str | None = None


class Procedure(Protocol):
    """One of the emergencies. The reading methods change nothing, and may raise ApiError."""

    name: str

    def find(self) -> list[str]:
        """What there is to recover from, in words; empty: nothing.

        Raises RecoveryRefused when this cluster has nothing that it could be done to.
        """
        ...

    def remember(self) -> dict[str, Any]:
        """What has to be restored, and what the steps have to know, as JSON.

        Raises RecoveryRefused when it cannot be done to this cluster.
        """
        ...

    def steps(self, saved: dict[str, Any]) -> Sequence[Step]: ...

    def undo(self, saved: dict[str, Any]) -> Sequence[Step]:
        """What restores, wherever it was broken off."""
        ...

    def left(self, saved: dict[str, Any], begun: set[str]) -> list[str]:
        """What may be changed when these steps have begun, in words."""
        ...

    def conclude(self, saved: dict[str, Any], report: Report) -> None:
        """Add to the report what came of it, also of one that was not done or undone."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """``force``: also when nothing was found. ``agree`` is asked with the plan before anything is
    changed; ``tell`` hears of each step when it begins and when it ends."""

    dry_run: bool = False
    abort: bool = False
    force: bool = False
    agree: Callable[[Report], bool] = lambda _: True
    tell: Callable[[StepReport], None] = lambda _: None


def carry_out(cluster: Cluster, procedure: Procedure, manner: Manner) -> Report:
    """Begin it, or carry on what was broken off.

    Raises RecoveryRefused before anything was changed, and ApiError when the cluster cannot even
    be looked at.
    """
    report = Report(procedure.name)
    journal = Journal(cluster)
    record = journal.read()
    if record is not None and record.procedure != procedure.name:
        raise RecoveryRefused(
            f"recovery {record.procedure} is under way since {record.started}: carry it on with "
            f"`beskar7 recover {record.procedure}`, or undo it with --abort"
        )
    if record is not None:
        report.found = [_broken_off(record)]
    else:
        if manner.abort:
            report.outcome = Outcome.NOTHING_TO_DO
            return report
        report.found = procedure.find()
        if not report.found and not manner.force:
            report.outcome = Outcome.NOTHING_TO_DO
            return report
    saved = record.saved if record is not None else procedure.remember()
    steps = procedure.undo(saved) if manner.abort else procedure.steps(saved)
    report.steps = [StepReport(step.name, step.plan) for step in steps]
    if record is not None and not manner.abort:
        for each in report.steps:
            each.outcome = "done before" if each.name in record.done else each.outcome
    if manner.dry_run:
        return report
    if not manner.agree(report):
        report.outcome = Outcome.DECLINED
        return report
    begun = set() if record is None else {*record.done, record.under_way}
    try:
        if record is None:
            record = journal.begin(procedure.name, saved)
        else:
            journal.take_over(record)
        if manner.abort:
            _undo(cluster, steps, report, manner)
            report.outcome = Outcome.ABORTED
        else:
            _do(cluster, journal, record, steps, report, manner)
            report.outcome = Outcome.DONE
        journal.end()
    except NotReached as error:
        report.outcome = Outcome.NOT_REACHED
        begun |= set() if record is None else {*record.done, record.under_way}
        report.left = procedure.left(saved, begun)
        report.advice.append(_how_to_go_on(procedure.name, error))
    # What came of it is known all the same, when the API server fails now.
    with suppress(ApiError):
        procedure.conclude(saved, report)
    return report


def _do(
    cluster: Cluster,
    journal: Journal,
    record: Record,
    steps: Sequence[Step],
    report: Report,
    manner: Manner,
) -> None:
    for step, told in zip(steps, report.steps, strict=True):
        if step.name in record.done:
            lasts = step.until is None or record.under_way == step.until
            if lasts or step.until in record.done or not _missing(cluster, step):
                continue
            record.done.remove(step.name)
        record.under_way = step.name
        journal.write(record)
        _perform(cluster, step, told, manner)
        record.done.append(step.name)
    # The last step's end needs no mark: the journal ends with it.


def _undo(cluster: Cluster, steps: Sequence[Step], report: Report, manner: Manner) -> None:
    for step, told in zip(steps, report.steps, strict=True):
        _perform(cluster, step, told, manner)


def _perform(cluster: Cluster, step: Step, told: StepReport, manner: Manner) -> None:
    told.outcome = "under way"
    manner.tell(told)
    began = cluster.runtime.now()
    try:
        patiently(cluster, step.act, step.timeout)
        left = began + step.timeout - cluster.runtime.now()
        wait_until(cluster, step.watches, step.namespace, step.look, left)
        told.outcome = "done"
    except NotReached as error:
        told.outcome, told.detail = "not reached", str(error)
        raise
    finally:
        told.seconds = round(cluster.runtime.now() - began, 3)
        if told.outcome != "under way":
            manner.tell(told)


def _missing(cluster: Cluster, step: Step) -> str:
    def look() -> str:
        return step.look(cluster.kube.list(step.watches, step.namespace).items)

    return patiently(cluster, look, step.timeout)


def _broken_off(record: Record) -> str:
    where = f"in step {record.under_way}" if record.under_way else "before its first step"
    return f"this recovery was begun at {record.started} and broken off {where}"


def _how_to_go_on(name: str, error: NotReached) -> str:
    if isinstance(error, TakenOver):
        return f"{error}: leave it to them"
    return (
        f"run `beskar7 recover {name}` again to carry on from here, or with --abort to restore "
        "what was changed"
    )
