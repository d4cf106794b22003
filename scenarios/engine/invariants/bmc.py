"""How a BMC may be used: one operation at a time, and a rest after each."""

from __future__ import annotations

from itertools import pairwise

from scenarios.engine.evidence import Evidence
from scenarios.engine.invariants.operations import Operation, group, group_all
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

CLOSE_NOTICE_SECONDS = 0.1
"""By so much a BMC may notice later than its client that an unanswered request was given up."""


def bmc_exclusive(evidence: Evidence, rules: Rules) -> Judged:
    """On one BMC no two operations overlap, from the first request of each to its last answer.

    Reads count: a BMC has one small processor, and what is read while another operation writes
    may be neither the state before nor the one after.
    """
    found: list[Violation] = []
    cases = 0
    for host, operations in group_all(evidence.requests).items():
        cases += len(operations)
        longest = operations[0]
        for operation in operations[1:]:
            notice = CLOSE_NOTICE_SECONDS if longest.latest.status == 0 else 0.0
            if operation.touched < longest.left - notice:
                under_way = [r for r in longest.requests if r.end > operation.touched]
                during = next((r for r in under_way if r.start <= operation.touched), None)
                what = (during.action or during.method) if during else ""
                at_once = f", even while its {what} was not answered" if during else ""
                found.append(
                    Violation(
                        "bmc-exclusive",
                        host,
                        evidence.history.machine_name(operation.header.consumer),
                        operation.touched,
                        f"{_describe(operation)} began {longest.left - operation.touched:.3f} s "
                        f"before the end of {_describe(longest)}{at_once}",
                        requests=(
                            operation.requests[0].seq,
                            (under_way or [longest.latest])[0].seq,
                        ),
                    )
                )
            if operation.left > longest.left:
                longest = operation
    return Judged(found, cases)


def bmc_cooldown(evidence: Evidence, rules: Rules) -> Judged:
    """An operation's first write comes no sooner than the cooldown after the one before it."""
    found: list[Violation] = []
    cases = 0
    for host, operations in group(evidence.requests).items():
        cooldown = rules.cooldowns.get(host, 0.0)
        for before, after in pairwise(operations):
            cases += 1
            rest = after.start - before.end
            notice = CLOSE_NOTICE_SECONDS if before.last.status == 0 else 0.0
            if rest + notice < cooldown:
                found.append(
                    Violation(
                        "bmc-cooldown",
                        host,
                        evidence.history.machine_name(after.header.consumer),
                        after.start,
                        f"{_describe(after)} began {rest:.3f} s after {_describe(before)}; "
                        f"the cooldown is {cooldown:g} s",
                        requests=(before.last.seq, after.writes[0].seq),
                    )
                )
    return Judged(found, cases)


def _describe(operation: Operation) -> str:
    """Kind, agent and the tail of the id: enough to tell two operations apart."""
    header = operation.header
    agent = operation.requests[0].agent.rpartition("/")[2]
    return f"{header.kind or operation.id} {header.nonce[:8]} of {agent}".replace("  ", " ")
