"""What has to hold in every scenario, judged from what the world saw.

The evidence is the API's write log, the BMCs' request log, the machines' events, and what the
scenario itself did. The controller's word is none of it. An invariant over a log with gaps is
inconclusive: a missing record can hide a breach, or make one out of nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from scenarios.engine.evidence import BROKEN_OFF, Evidence
from scenarios.engine.invariants.bmc import bmc_cooldown, bmc_exclusive, write_limit
from scenarios.engine.invariants.claims import claim_history
from scenarios.engine.invariants.counters import counters_agree
from scenarios.engine.invariants.ending import no_orphans, released_first, terminal
from scenarios.engine.invariants.gauges import gauges_agree
from scenarios.engine.invariants.memory import nothing_kept
from scenarios.engine.invariants.news import events_agree
from scenarios.engine.invariants.ownership import (
    leader_writes_only,
    no_release_in_mid_write,
    only_owner_acts,
    requirements_met,
    single_owner,
)
from scenarios.engine.invariants.promptness import claimed_promptly, never_idle, oldest_first
from scenarios.engine.invariants.states import (
    legal_state_edges,
    no_blind_reset,
    provisioned_means_booted,
    released_clean,
)
from scenarios.engine.invariants.verdict import (
    MAX_VIOLATIONS,
    InvariantResult,
    Judged,
    Rules,
    Violation,
)

Log = Literal["writes", "requests", "events"]

INVARIANTS: dict[str, tuple[Callable[[Evidence, Rules], Judged], tuple[Log, ...]]] = {
    "single-owner": (single_owner, ("writes",)),
    "requirements-met": (requirements_met, ("writes",)),
    "only-owner-acts": (only_owner_acts, ("writes", "requests")),
    "leader-writes-only": (leader_writes_only, ("writes",)),
    "no-release-in-mid-write": (no_release_in_mid_write, ("writes", "requests")),
    "bmc-exclusive": (bmc_exclusive, ("requests",)),
    "bmc-cooldown": (bmc_cooldown, ("requests",)),
    "legal-state-edges": (legal_state_edges, ("writes",)),
    "provisioned-means-booted": (provisioned_means_booted, ("writes", "events")),
    "released-clean": (released_clean, ("writes", "events")),
    "terminal": (terminal, ("writes", "requests")),
    "no-orphans": (no_orphans, ("writes",)),
    "released-first": (released_first, ("writes",)),
    "claimed-promptly": (claimed_promptly, ("writes",)),
    "oldest-first": (oldest_first, ("writes",)),
    "never-idle": (never_idle, ("writes", "requests")),
    "no-blind-reset": (no_blind_reset, ("writes", "requests", "events")),
    "write-limit": (write_limit, ("writes", "requests")),
    "claim-history": (claim_history, ("writes",)),
    "counters-agree": (counters_agree, ("writes", "requests")),
    "gauges-agree": (gauges_agree, ("writes",)),
    "events-agree": (events_agree, ("writes",)),
    "nothing-kept": (nothing_kept, ("writes",)),
}
AT_THE_END = ("terminal", "no-orphans")
"""Judged on the last state alone, which a run that was broken off does not have."""


def judge(evidence: Evidence, rules: Rules) -> list[InvariantResult]:
    """Every invariant's verdict, in the order of :data:`INVARIANTS`."""
    return [_judge(name, evidence, rules) for name in INVARIANTS]


def _judge(name: str, evidence: Evidence, rules: Rules) -> InvariantResult:
    check, logs = INVARIANTS[name]
    judged = check(evidence, rules)
    violations = sorted(judged.violations, key=lambda violation: violation.time)
    violations, expected = _unexpected(name, violations, evidence)
    doubt = _gaps(evidence, logs) or judged.doubt
    if name in AT_THE_END and evidence.ending in BROKEN_OFF:
        # What was still under way at that moment is no breach of a promise on the end.
        violations, doubt = [], doubt or "the run did not get to its end"
    verdict: Literal["held", "violated", "inconclusive"] = "violated" if violations else "held"
    if doubt:
        verdict = "inconclusive"
    reason = doubt or expected
    if len(violations) > MAX_VIOLATIONS:
        reason = f"{doubt}; " if doubt else ""
        reason += f"the first {MAX_VIOLATIONS} of {len(violations)} violations"
    return InvariantResult(name, verdict, judged.cases, reason, tuple(violations[:MAX_VIOLATIONS]))


def _unexpected(
    name: str, violations: list[Violation], evidence: Evidence
) -> tuple[list[Violation], str]:
    """Without those that a rehearsal's cause brings about by design; and how many these were."""
    script, parts = evidence.scenario.rehearsal, {part.name: part for part in evidence.parts}
    if script is None or name not in script.breaks or "cause" not in parts:
        return violations, ""
    done = [step.at for step in parts["cause"].steps if step.at is not None]
    begins = min(done, default=math.inf)
    remedy = parts.get("remedy")
    ends = math.inf if remedy is None or remedy.ended is None else remedy.ended
    kept = [each for each in violations if not begins <= each.time <= ends]
    expected = len(violations) - len(kept)
    return kept, f"{expected} times not, from the cause to the remedy, as expected"


def _gaps(evidence: Evidence, logs: tuple[Log, ...]) -> str:
    """Which of the logs are not whole, in words; empty when all are."""
    lost = {
        "writes": (evidence.lost_writes, "the API's write log"),
        "requests": (evidence.lost_requests, "the BMCs' request log"),
        "events": (evidence.lost_events, "the machines' event log"),
    }
    missing = [f"{lost[log][1]} lacks {lost[log][0]} entries" for log in logs if lost[log][0]]
    if not evidence.complete:
        missing.append("the logs were not read to their end")
    return "; ".join(missing)


__all__ = ["INVARIANTS", "InvariantResult", "Judged", "Rules", "Violation", "judge"]
