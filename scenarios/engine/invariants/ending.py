"""How the world has to look in the end, once the faults are over."""

from __future__ import annotations

from scenarios.engine.evidence import Evidence
from scenarios.engine.history import consumer_uid
from scenarios.engine.invariants.verdict import Judged, Rules, Violation
from scenarios.engine.settling import unsettled


def terminal(evidence: Evidence, rules: Rules) -> Judged:
    """Every machine is Provisioned or waits as no host that would do is free; hosts are at rest.

    At rest are Available and Provisioned, and Error while a fault still blocks the BMC; the
    machine of such a host may wait for it.
    """
    history, end = evidence.history, evidence.ended
    if not evidence.faults_over(end):
        return Judged(doubt="the run ended before its faults did")
    unrest = unsettled(history, evidence.blocked_hosts(end), evidence.hardware)
    alive = [*history.hosts.values(), *history.machines.values()]
    return Judged(
        [
            Violation(
                "terminal",
                item.host,
                item.machine,
                end,
                item.message,
                writes=(item.track.versions[-1].seq,),
            )
            for item in unrest
        ],
        sum(not track.gone for track in alive),
    )


def no_orphans(evidence: Evidence, rules: Rules) -> Judged:
    """In the end no host belongs to a machine that does not exist."""
    found: list[Violation] = []
    cases = 0
    alive = {uid for uid, track in evidence.history.machines.items() if not track.gone}
    for track in evidence.history.hosts.values():
        owner = consumer_uid(track.last)
        if not owner:
            continue
        cases += 1
        if owner not in alive:
            name = evidence.history.machine_name(owner) or owner
            found.append(
                Violation(
                    "no-orphans",
                    track.name,
                    name,
                    evidence.ended,
                    f"{track.name} still belongs to {name}, which is gone",
                    writes=(track.versions[-1].seq,),
                )
            )
    return Judged(found, cases)
