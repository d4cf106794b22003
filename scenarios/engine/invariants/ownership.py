"""Who owns a host, and who may touch its BMC."""

from __future__ import annotations

from beskar7.api.errors import Invalid
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from emulator.bmc.log import BmcRecord
from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import lacking, requirements
from scenarios.engine.history import (
    MANAGER_AGENT,
    Ownership,
    consumer_uid,
    deleting,
    state,
)
from scenarios.engine.invariants.operations import Header
from scenarios.engine.invariants.terms import certain_spans, lost_terms, within
from scenarios.engine.invariants.verdict import Judged, Rules, Violation
from scenarios.engine.managerlives import killed_at


def single_owner(evidence: Evidence, rules: Rules) -> Judged:
    """No host passes from one owner to another unfreed; no machine owns two hosts at once.

    A claim may reach the API once its manager is dead, and after another one has looked for hosts
    of that machine: nobody can know of it. But then one of both hosts has to be given back.

    To ask for a host that has an owner is as wrong as to get it: the API's rules refuse that, but
    whoever claims names the version at which he knew the host to be free, and meets a conflict.
    """
    history = evidence.history
    found: list[Violation] = []
    ownerships = history.ownerships()
    for track in history.hosts.values():
        for before, after in track.pairs():
            old = consumer_uid(before.object) if before else ""
            new = consumer_uid(after.object)
            if before and old and new and old != new:
                names = (history.machine_name(old) or old, history.machine_name(new) or new)
                found.append(
                    Violation(
                        "single-owner",
                        track.name,
                        names[1],
                        after.time,
                        f"passed from {names[0]} to {names[1]} without being free between, "
                        f"written by {after.client}",
                        writes=(before.seq, after.seq),
                    )
                )
    for record in history.writes:
        old, new = consumer_uid(record.previous), consumer_uid(record.object)
        refused = record.outcome == Invalid.reason and record.kind == PHYSICAL_HOST.kind
        if refused and record.client.startswith(MANAGER_AGENT) and old and new and old != new:
            owner = history.machine_name(old) or old
            found.append(
                Violation(
                    "single-owner",
                    record.name,
                    history.machine_name(new) or new,
                    record.time,
                    f"was asked for while it belonged to {owner}, by {record.client}",
                    writes=(record.seq,),
                )
            )
    by_owner: dict[str, list[int]] = {}
    for index, ownership in enumerate(ownerships):
        for other in (ownerships[i] for i in by_owner.get(ownership.owner, [])):
            if other.end_seq is None or other.end_seq > ownership.start_seq:
                both = other.end_seq is None and ownership.end_seq is None
                if not both and _claimed_by_the_dead(evidence, other, ownership):
                    continue
                found.append(
                    Violation(
                        "single-owner",
                        ownership.host,
                        ownership.owner_name or ownership.owner,
                        ownership.start,
                        f"got this host while it still owned {other.host}",
                        writes=(other.start_seq, ownership.start_seq),
                    )
                )
        by_owner.setdefault(ownership.owner, []).append(index)
    return Judged(found, len(ownerships))


def _claimed_by_the_dead(evidence: Evidence, *claims: Ownership) -> bool:
    """Whether one of the claims was carried out when its manager was no more."""
    dead = killed_at(evidence)
    seqs = {claim.start_seq for claim in claims}
    return any(
        record.time > dead.get(record.client.removeprefix(MANAGER_AGENT), float("inf"))
        for record in evidence.history.writes
        if record.seq in seqs
    )


def requirements_met(evidence: Evidence, rules: Rules) -> Judged:
    """No host is given to a machine whose requirements it fails."""
    history = evidence.history
    found: list[Violation] = []
    cases = 0
    for ownership in history.ownerships():
        machine = history.machines.get(ownership.owner)
        host = history.host_named(ownership.host, ownership.start)
        wanted = requirements(machine.at(ownership.start) if machine else None)
        claimed = host.at(ownership.start) if host else None
        if not wanted or claimed is None:
            continue
        cases += 1
        if missing := ", ".join(lacking(wanted, claimed, evidence.hardware)):
            found.append(
                Violation(
                    "requirements-met",
                    ownership.host,
                    ownership.owner_name,
                    ownership.start,
                    f"was claimed for {ownership.owner_name} without {missing}",
                    writes=(ownership.start_seq,),
                )
            )
    return Judged(found, cases)


def only_owner_acts(evidence: Evidence, rules: Rules) -> Judged:
    """Every write to a BMC that took effect is by the leader, and for the host's owner.

    A request counts as rightful when its host was right at any moment from its arrival to its
    answer: the owner may change while the BMC is still at work on it. Its sender has to be
    leader at its arrival.
    """
    found: list[Violation] = []
    cases = 0
    for request in evidence.requests:
        if not request.action or not request.performed:
            continue
        if not request.agent.startswith(MANAGER_AGENT):
            continue
        cases += 1
        for fault in (_not_leader(request, evidence, rules), _not_for_owner(request, evidence)):
            if fault is not None:
                machine = evidence.history.machine_name(Header.parse(request.operation).consumer)
                found.append(
                    Violation(
                        "only-owner-acts",
                        request.host,
                        machine,
                        request.start,
                        f"{request.action} by {request.agent}: {fault[0]}",
                        writes=fault[1],
                        requests=(request.seq,),
                    )
                )
    return Judged(found, cases)


Fault = tuple[str, tuple[int, ...]]


def _not_leader(request: BmcRecord, evidence: Evidence, rules: Rules) -> Fault | None:
    if not rules.leader_election:
        return None
    identity = request.agent.removeprefix(MANAGER_AGENT)
    hold = evidence.history.lease_at(request.start)
    if hold is None:
        return "nobody was leader yet", ()
    if hold.holder != identity:
        holder = hold.holder or "nobody"
        return f"the leader was {holder}, since {request.start - hold.time:.3f} s", (hold.seq,)
    late = request.start - hold.time - hold.duration
    if late > 0:
        return f"its lease had run out {late:.3f} s before", (hold.seq,)
    return None


def _not_for_owner(request: BmcRecord, evidence: Evidence) -> Fault | None:
    header = Header.parse(request.operation)
    if not header.kind:
        return f'it names no operation (header "{request.operation}")', ()
    if header.host != request.host:
        return f"its operation is one on {header.host}", ()
    track = evidence.history.host_named(request.host, request.end)
    if track is None:
        return "there is no such host in the API", ()
    window = [version for version in track.during(request.start, request.end) if version]
    if not window:
        return "the host was gone from the API", (track.versions[-1].seq,)
    owners = {consumer_uid(version) for version in window}
    if header.kind == "provision":
        if header.consumer in owners and header.consumer:
            return None
        names = [evidence.history.machine_name(uid) or uid or "nobody" for uid in sorted(owners)]
        wanted = evidence.history.machine_name(header.consumer) or header.consumer or "nobody"
        return f"it provisions for {wanted}, but the owner was {' then '.join(names)}", ()
    if header.kind == "deprovision":
        return _not_to_clean(header, window, evidence)
    return f'"{header.kind}" is no kind of operation', ()


def _not_to_clean(
    header: Header, window: list[dict[str, object]], evidence: Evidence
) -> Fault | None:
    """Clean-up is right for the owner who lets go, and for a host that is nobody's."""
    for version in window:
        owner = consumer_uid(version)
        if owner and owner == header.consumer:
            return None
        if not owner and (state(version) == "Deprovisioning" or deleting(version)):
            return None
    owner = consumer_uid(window[-1])
    if owner:
        name = evidence.history.machine_name(owner) or owner
        return f"it cleans up while the host belongs to {name}", ()
    return f"it cleans up a host without owner in state {state(window[-1]) or 'none'}", ()


def leader_writes_only(evidence: Evidence, rules: Rules) -> Judged:
    """Whatever a manager writes of hosts and machines it sends while it is sure to lead.

    The lease lasts longer, but who could not renew it in time does not know for how long. Claims
    that are handed over have a leader of their own, who takes hosts for them. When a write was
    sent only the managers' clients know, so this needs a look into them.
    """
    if evidence.aftermath is None or not rules.leader_election:
        return Judged()
    # By flags of the world, or by those that a rehearsal's remedy gave the managers.
    lives = evidence.aftermath.look.lives.values()
    handed_over = "enable-claim-coordinator-leader-election" in (
        evidence.scenario.world.managers.args
    ) or any(life.hands_over for life in lives)
    certain = certain_spans(evidence, evidence.aftermath, at_most=True)
    found: list[Violation] = []
    cases = 0
    for call in evidence.aftermath.look.calls:
        if call.kind not in (PHYSICAL_HOST.kind, BESKAR7_MACHINE.kind) or call.verb == "get":
            continue
        if handed_over and (call.kind, call.verb) == (PHYSICAL_HOST.kind, "update"):
            continue
        cases += 1
        if within(certain.get(call.client, []), call.start, call.start):
            continue
        host = call.name if call.kind == PHYSICAL_HOST.kind else ""
        machine = call.name if call.kind == BESKAR7_MACHINE.kind else ""
        text = f"{call.verb} of {call.kind} {call.name} by {call.client}, which may not lead"
        found.append(Violation("leader-writes-only", host, machine, call.start, text))
    return Judged(found, cases)


def no_release_in_mid_write(evidence: Evidence, rules: Rules) -> Judged:
    """No host is given back while its manager waits for the answer to a write in its owner's name.

    What a BMC answers is known to its client; of what it left unanswered neither knows when the
    other gave up. Nor does a manager whose term was over in between: it left all its calls.
    """
    writes: dict[tuple[str, str, str], list[BmcRecord]] = {}
    for request in evidence.requests:
        header = Header.parse(request.operation)
        if request.action and 200 <= request.status < 300 and header.consumer:
            key = request.host, request.agent, header.consumer
            writes.setdefault(key, []).append(request)
    lost = lost_terms(evidence)
    found: list[Violation] = []
    cases = 0
    for track in evidence.history.hosts.values():
        for before, after in track.pairs():
            owner = consumer_uid(before.object) if before else ""
            if not owner or consumer_uid(after.object) or after.object is None:
                continue
            cases += 1
            terms = lost.get(after.client.removeprefix(MANAGER_AGENT), ())
            for request in writes.get((track.name, after.client, owner), ()):
                if request.start < after.time < request.end and not any(
                    request.start <= lost_at <= after.time for lost_at in terms
                ):
                    name = evidence.history.machine_name(owner) or owner
                    text = (
                        f"given back by {after.client} {request.end - after.time:.3f} s before "
                        f"its BMC answered to {request.action} for {name}"
                    )
                    found.append(
                        Violation(
                            "no-release-in-mid-write",
                            track.name,
                            name,
                            after.time,
                            text,
                            writes=(after.seq,),
                            requests=(request.seq,),
                        )
                    )
    return Judged(found, cases)
