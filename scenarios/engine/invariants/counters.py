"""Whether the managers' counters say what happened: against the logs of the API and of the BMCs.

Each count is bounded by what its manager surely did (and was answered) and by all that it can
have done; without kills and faults the two agree, and the comparison is exact. What only the
manager knows of itself (reconciles, waits, durations) is not compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM, LEASE, PHYSICAL_HOST
from beskar7.claim_term import CLAIM_LEASE
from emulator.bmc.log import BmcRecord
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.calls import NO_ANSWER, Call
from scenarios.engine.evidence import Aftermath, Evidence
from scenarios.engine.expand import elects_leader
from scenarios.engine.history import MANAGER_AGENT, Object, consumer_uid, dig, phase, state
from scenarios.engine.inside import Life
from scenarios.engine.invariants.calm import BLINDING
from scenarios.engine.invariants.claims import REFUSED, belied, unheard
from scenarios.engine.invariants.operations import Header
from scenarios.engine.invariants.terms import certain_spans, within
from scenarios.engine.invariants.verdict import Judged, Rules, Violation


@dataclass(frozen=True, slots=True)
class Bounds:
    """``series`` with ``labels`` has to be from ``least`` to ``most``."""

    series: str
    labels: dict[str, str]
    least: int
    most: float = math.inf

    def check(self, life: Life) -> str:
        """What is wrong, in words; empty when nothing is."""
        value = life.total(self.series, **self.labels)
        if self.least <= value <= self.most:
            return ""
        name = f"{self.series}{{{', '.join(f'{k}={v}' for k, v in self.labels.items())}}}"
        if self.most == self.least:
            return f"{name} is {value:g}; it happened {self.least} times"
        most = "" if math.isinf(self.most) else f" and {self.most:g} times at most"
        return f"{name} is {value:g}; it happened {self.least} times at least{most}"


@dataclass(slots=True)
class Deeds:
    """What one manager did. ``answered``: and knows of, as the answer reached it while it lived;
    the last instant of one that was killed counts as unanswered."""

    claims: int = 0
    answered_claims: int = 0
    refused_claims: int = 0
    belied_claims: int = 0
    """Of the refused ones; whether their manager found out, only it can tell."""
    doubtful_reads: int = 0
    given_back: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """Answered writes by which a provisioning ended, by outcome."""
    provisioned: int = 0
    claim_terms: int = 0
    claim_lease_writes: int = 0
    powered: Counter[str] = field(default_factory=Counter)
    surely_powered: Counter[str] = field(default_factory=Counter)
    operations: dict[str, set[str]] = field(default_factory=dict)


def counters_agree(evidence: Evidence, rules: Rules) -> Judged:
    """Claims, conflicts, provisionings, power actions, operations and terms of claim leadership."""
    aftermath = evidence.aftermath
    if aftermath is None:
        return Judged()
    deeds, world = _deeds(evidence, aftermath)
    found: list[Violation] = []
    cases = 0
    for identity, life in sorted(aftermath.look.lives.items()):
        for bounds in _bounds(deeds.get(MANAGER_AGENT + identity, Deeds()), world, life, evidence):
            cases += 1
            if fault := bounds.check(life):
                text = f"{identity}: {fault}"
                found.append(Violation("counters-agree", "", "", aftermath.look.time, text))
    return Judged(found, cases)


def _bounds(deeds: Deeds, world: Counter[str], life: Life, evidence: Evidence) -> Iterator[Bounds]:
    attempts = "beskar7_host_claim_attempts_total"
    may_have = deeds.claims + deeds.belied_claims
    yield Bounds(attempts, {"outcome": "success"}, deeds.answered_claims, may_have)
    args = evidence.scenario.world.managers.args
    if life.hands_over or "enable-claim-coordinator-leader-election" in args:
        # Counted before the claim is given back, and that write may be refused and come again.
        yield Bounds(attempts, {"outcome": "conflict"}, deeds.given_back)
    else:
        sure = max(0, deeds.refused_claims - deeds.belied_claims - deeds.doubtful_reads)
        yield Bounds(attempts, {"outcome": "conflict"}, sure, deeds.refused_claims)
    ended = "beskar7_controller_physicalhost_provisioning_total"
    # Who saw a provisioning from an old list, and no event of its end, can only tell that it ended.
    blind = any(not BLINDING.isdisjoint(window.kinds.values()) for window in evidence.faults)
    for outcome in ("success", "error", "cancelled"):
        most = world.total() if blind else world[outcome]
        yield Bounds(ended, {"outcome": outcome}, deeds.ended[outcome], most)
    ready = "beskar7_controller_beskar7machine_provisioning_duration_seconds_count"
    yield Bounds(ready, {}, deeds.provisioned)
    powered = "beskar7_controller_physicalhost_power_operations_total"
    for action, most in sorted(deeds.powered.items()):
        least = deeds.surely_powered[action]
        yield Bounds(powered, {"operation": action, "outcome": "success"}, least, most)
    counted = "beskar7_concurrent_provisioning_operations_total"
    running = 0 if not life.alive else life.entries.get("BmcRequests._running_since", 0)
    for kind, operations in sorted(deeds.operations.items()):
        yield Bounds(counted, {"operation_type": kind}, max(0, len(operations) - running))
    terms = "beskar7_claim_coordinator_leader_election_total"
    began = {"event_type": "started_leading"}
    yield Bounds(terms, began, min(1, deeds.claim_terms), deeds.claim_lease_writes)
    stopped = int(life.total(terms, event_type="stopped_leading"))
    yield Bounds(terms, began, stopped, stopped + 1)


def _deeds(evidence: Evidence, aftermath: Aftermath) -> tuple[dict[str, Deeds], Counter[str]]:
    """By client; and how all provisionings of the world ended."""
    writes = [*evidence.history.writes, *aftermath.writes]
    before, records, world = _versions(writes)
    effects = unheard(writes, aftermath.look.calls)
    lives = aftermath.look.lives
    last: dict[str, float] = {}
    for call in aftermath.look.calls:
        if call.end != NO_ANSWER:
            last[call.client] = max(call.end, last.get(call.client, 0.0))
    found: dict[str, Deeds] = {}
    for call in aftermath.look.calls:
        life = lives.get(call.client.removeprefix(MANAGER_AGENT))
        sure = life is not None and (life.alive or call.end < last.get(call.client, 0.0))
        deeds = found.setdefault(call.client, Deeds())
        record = records.get((call.kind, call.version)) if call.outcome == "ok" else None
        if call.kind == PHYSICAL_HOST.kind:
            _host_call(deeds, call, record, before, sure=sure)
            deeds.belied_claims += belied(call, effects)
        elif record is not None and call.kind == HOST_CLAIM.kind and sure:
            lost = "was lost" in str(dig(record.object, "status", "message") or "")
            deeds.given_back += lost and dig(record.previous, "status", "phase") == "Assigned"
        elif record is not None and call.kind == LEASE.kind and call.name == CLAIM_LEASE:
            deeds.claim_lease_writes += 1
            holder = dig(record.object, "spec", "holderIdentity")
            deeds.claim_terms += sure and holder != dig(record.previous, "spec", "holderIdentity")
        elif record is not None and call.kind == BESKAR7_MACHINE.kind and sure:
            became = phase(record.object) == "Provisioned"
            deeds.provisioned += became and phase(record.previous) != "Provisioned"
    elects = elects_leader(evidence.scenario)
    certain = certain_spans(evidence, aftermath, at_most=False)
    for request in [*evidence.requests, *aftermath.requests]:
        agent = request.agent
        if agent in found:
            life = lives[agent.removeprefix(MANAGER_AGENT)]
            heard = life.alive or request.end < last.get(agent, 0.0)
            # Who is not certain of its leadership cuts its calls, whatever is answered.
            led = not elects or within(certain.get(agent, []), request.start, request.end)
            _request(found[agent], request, sure=heard and led)
    return found, world


Versions = dict[tuple[str, str], WriteRecord]


def _versions(writes: list[WriteRecord]) -> tuple[dict[str, Object], Versions, Counter[str]]:
    """Hosts by version; what wrote each version of anything; how provisionings ended."""
    hosts: dict[str, Object] = {}
    records: Versions = {}
    world: Counter[str] = Counter()
    for record in writes:
        if record.outcome != "ok" or record.object is None:
            continue
        records[record.kind, record.resource_version] = record
        if record.kind == PHYSICAL_HOST.kind:
            hosts[record.resource_version] = record.object
            if outcome := _ended(record):
                world[outcome] += 1
    return hosts, records, world


def _ended(record: WriteRecord) -> str:
    """How a provisioning ended with this write; empty when none did."""
    was, now = state(record.previous), state(record.object)
    if was != "Provisioning" or now == was:
        return ""
    return {"Provisioned": "success", "Error": "error"}.get(now, "cancelled")


def _host_call(
    deeds: Deeds,
    call: Call,
    record: WriteRecord | None,
    before: dict[str, Object],
    *,
    sure: bool,
) -> None:
    if call.verb == "get":
        deeds.doubtful_reads += call.outcome not in ("ok", "NotFound") or not sure
        return
    if call.verb == "update" and call.owner and not consumer_uid(before.get(call.sent)):
        if record is not None:
            deeds.claims += 1
            deeds.answered_claims += sure
        deeds.refused_claims += call.outcome in REFUSED
    if record is not None and sure and (outcome := _ended(record)):
        deeds.ended[outcome] += 1


def _request(deeds: Deeds, request: BmcRecord, *, sure: bool) -> None:
    """A request of the manager's, as its BMC saw it."""
    verb, _, what = request.action.partition(":")
    if verb == "reset":
        # A BMC may accept what it never does: for its client that is a success.
        deeds.powered[what] += 1
        plain = request.performed and 200 <= request.status < 300 and not request.fault
        deeds.surely_powered[what] += sure and plain
    header = Header.parse(request.operation)
    if header.kind and sure:
        deeds.operations.setdefault(header.kind, set()).add(request.operation)
