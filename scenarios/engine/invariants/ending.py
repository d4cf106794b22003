"""How the world has to look in the end, once the faults are over."""

from __future__ import annotations

from scenarios.engine.evidence import Evidence
from scenarios.engine.history import consumer_uid, dig
from scenarios.engine.invariants.verdict import Judged, Rules, Violation
from scenarios.engine.settling import unsettled

OLD_LISTS = ("stale-list",)
"""Kinds of fault by which the API lists what no longer is, or not yet what is."""


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


def released_first(evidence: Evidence, rules: Rules) -> Judged:
    """A machine is gone only after the host that it had was released.

    That is what its finalizer is for; one that goes before it has a finalizer leaves its host to
    be released as an orphan. Not judged where a fault showed managers the past: they may not find
    what they own.
    """
    history = evidence.history
    kinds = {kind for window in evidence.faults for kind in window.kinds.values()}
    if not kinds.isdisjoint(OLD_LISTS):
        return Judged()
    found: list[Violation] = []
    ownerships = history.ownerships()
    for held in ownerships:
        machine = history.machines.get(held.owner)
        if machine is None or not machine.gone:
            continue
        if not any(dig(v.object, "metadata", "finalizers") for v in machine.versions):
            continue
        gone = machine.versions[-1]
        # What was claimed for it later was on its way for longer than it lived; it is released.
        if held.start_seq < gone.seq and (held.end_seq is None or held.end_seq > gone.seq):
            found.append(
                Violation(
                    "released-first",
                    held.host,
                    machine.name,
                    gone.time,
                    f"{machine.name} is gone while {held.host} still belongs to it",
                    writes=(held.start_seq, gone.seq),
                )
            )
    return Judged(found, len(ownerships))
