"""How a BMC may be used: one operation at a time, and a rest after each."""

from __future__ import annotations

from itertools import pairwise

from beskar7.api.kinds import CONFIG_MAP
from beskar7.config import CONFIG_MAP_NAME, Tuning
from emulator.bmc.log import BmcRecord
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import dig
from scenarios.engine.invariants.operations import Operation, group, group_all
from scenarios.engine.invariants.terms import lost_terms
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

CLOSE_NOTICE_SECONDS = 0.1
"""By so much a BMC may notice later than its client that an unanswered request was given up."""


def bmc_exclusive(evidence: Evidence, rules: Rules) -> Judged:
    """On one BMC no two operations overlap, from the first request of each to its last answer.

    Reads count: a BMC has one small processor, and what is read while another operation writes
    may be neither the state before nor the one after.
    """
    lost = lost_terms(evidence)
    found: list[Violation] = []
    cases = 0
    for host, operations in group_all(evidence.requests).items():
        cases += len(operations)
        longest = operations[0]
        for operation in operations[1:]:
            notice = CLOSE_NOTICE_SECONDS if longest.latest.status == 0 else 0.0
            left = _known_end(lost, longest, longest.requests, operation)
            if operation.touched < left - notice:
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
    lost = lost_terms(evidence)
    found: list[Violation] = []
    cases = 0
    for host, operations in group(evidence.requests).items():
        cooldown = rules.cooldowns.get(host, 0.0)
        for before, after in pairwise(operations):
            cases += 1
            rest = after.start - _known_end(lost, before, before.writes, after)
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


def _known_end(
    lost: dict[str, list[float]],
    before: Operation,
    requests: list[BmcRecord],
    after: Operation,
) -> float:
    """When ``before`` was over, as far as the manager of ``after`` can know.

    A request that was under way when its manager's lease ran out may be answered long after, and
    the one that leads by then, be it the same again, cannot tell. Its own term is what it can
    count from.
    """
    takeovers = [time for time in lost.get(before.manager, ()) if time <= after.touched]
    return max(
        min(
            request.end,
            next((at for at in takeovers if request.start <= at), request.end),
        )
        for request in requests
    )


def write_limit(evidence: Evidence, rules: Rules) -> Judged:
    """No more operations write at once than ``maxConcurrentOps`` allows, as the BMCs see it.

    Of the limits that the ConfigMap had in the run the highest counts. An operation that was left
    unanswered may be given up by its manager before its BMC knows, so those count for nothing.
    """
    limit = _highest_limit(evidence)
    operations = [
        operation
        for several in group(evidence.requests).values()
        for operation in several
        if operation.header.kind and all(request.status for request in operation.writes)
    ]
    edges = sorted(
        (edge, step, at)
        for at, operation in enumerate(operations)
        for edge, step in ((operation.start, 1), (max(operation.end, operation.start), -1))
    )
    running = 0
    for time, step, at in edges:
        running += step
        if running > limit:
            operation = operations[at]
            text = f"{_describe(operation)} wrote as number {running}; maxConcurrentOps is {limit}"
            machine = evidence.history.machine_name(operation.header.consumer)
            requests = (operation.writes[0].seq,)
            broken = Violation(
                "write-limit", operation.host, machine, time, text, requests=requests
            )
            return Judged([broken], len(operations))
    return Judged([], len(operations))


def _highest_limit(evidence: Evidence) -> int:
    key = "provisioning.maxConcurrentOps"
    default = Tuning().max_concurrent_ops
    texts = [
        str(dig(record.object, "data", key) or default)
        for record in evidence.history.writes
        if record.kind == CONFIG_MAP.kind and record.name == CONFIG_MAP_NAME
    ]
    limits = [int(text) for text in texts if text.isdecimal()]
    return max(limits, default=default)


def _describe(operation: Operation) -> str:
    """Kind, agent and the tail of the id: enough to tell two operations apart."""
    header = operation.header
    whose = f"{header.kind or operation.id} {header.nonce[:8]} of {operation.manager}"
    return whose.replace("  ", " ")
