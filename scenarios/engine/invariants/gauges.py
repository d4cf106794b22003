"""Whether the gauges say what is: the leader's, once the world is at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from emulator.bmc.log import BmcRecord
from scenarios.engine.evidence import Aftermath, Evidence
from scenarios.engine.expand import plan_hosts
from scenarios.engine.history import (
    MANAGER_AGENT,
    Object,
    consumer_uid,
    deleting,
    phase,
    removes,
    state,
)
from scenarios.engine.inside import Life
from scenarios.engine.invariants.calm import BLINDING
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

QUIET = 2.0
"""Seconds without a write after which a cache has heard of the last one."""


def gauges_agree(evidence: Evidence, rules: Rules) -> Judged:
    """The leader's gauges of hosts and machines are the API's state; one manager says it leads.

    Not judged while faults of the API last, after such as leave caches wrong for a while, nor when
    something was written just before the look.
    """
    aftermath = evidence.aftermath
    if aftermath is None:
        return Judged()
    now = aftermath.look.time
    found: list[Violation] = []
    cases = 0
    for identity, life in sorted(aftermath.look.lives.items()):
        for gauge, said, is_so in _gauges(evidence, aftermath, life, identity):
            cases += 1
            if said != is_so:
                text = f"{gauge} of {identity} is {_show(said)}; it should be {_show(is_so)}"
                found.append(Violation("gauges-agree", "", "", now, text))
    return Judged(found, cases)


Reading = tuple[str, Any, Any]
"""The gauge's name, what it says, and what is so."""


def _gauges(
    evidence: Evidence, aftermath: Aftermath, life: Life, identity: str
) -> Iterator[Reading]:
    if not life.alive:
        return
    yield "beskar7_leader", life.total("beskar7_leader", identity=identity), float(life.leading)
    objects = _at_rest(evidence, aftermath)
    if objects is None:
        return
    hosts, machines = objects
    if not life.leading:
        # Who does not lead counts nothing, or the sums over all managers would be wrong.
        for name in _COUNTED:
            yield name, life.total(name), 0.0
        return
    states, label = "beskar7_controller_physicalhost_states_total", "state"
    yield states, life.by(states, label), Counter(state(h) or "None" for h in hosts)
    phases = "beskar7_controller_beskar7machine_states_total"
    yield phases, life.by(phases, label), Counter(phase(m) or "None" for m in machines)
    owners = {consumer_uid(host) for host in hosts} - {""}
    yield _OWNED, life.total(_OWNED), float(sum(bool(consumer_uid(h)) for h in hosts))
    waiting = [m for m in machines if m["metadata"]["uid"] not in owners and not _given_up(m)]
    yield _WAITING, life.total(_WAITING), float(len(waiting))
    circuits = "beskar7_bmc_circuit_state"
    suspects = {
        bmc
        for bmc in life.by(circuits, "bmc_address")
        if bmc in _answering(evidence, aftermath, identity)
    }
    yield f"{circuits} of BMCs that answered last", Counter(suspects), Counter()
    if not evidence.blocked_hosts(aftermath.look.time):
        for name in _QUEUES:
            yield name, life.total(name), 0.0


_OWNED = "beskar7_controller_physicalhost_consumer_mappings_total"
_WAITING = "beskar7_host_claim_queue_length"
_QUEUES = (
    "beskar7_provisioning_queue_length",
    "beskar7_provisioning_queue_processing_count",
    "beskar7_provisioning_suspects_waiting",
)
_COUNTED = (
    "beskar7_controller_physicalhost_states_total",
    "beskar7_controller_beskar7machine_states_total",
    _OWNED,
    _WAITING,
)


def _at_rest(evidence: Evidence, aftermath: Aftermath) -> tuple[list[Object], list[Object]] | None:
    """Hosts and machines as they are; None when a cache may rightly not know them so."""
    now = aftermath.look.time
    for window in evidence.faults:
        if window.fault.get("target") != "api":
            continue
        lasting = window.end is None or window.end > evidence.ended
        if lasting or not BLINDING.isdisjoint(window.kinds.values()):
            return None
    found: dict[str, dict[str, Object]] = {PHYSICAL_HOST.kind: {}, BESKAR7_MACHINE.kind: {}}
    for kind, tracks in (
        (PHYSICAL_HOST.kind, evidence.history.hosts),
        (BESKAR7_MACHINE.kind, evidence.history.machines),
    ):
        found[kind] = {uid: track.last for uid, track in tracks.items() if track.last}
    for record in aftermath.writes:
        if record.kind not in found or record.outcome != "ok" or record.object is None:
            continue
        if record.time > now - QUIET:
            return None
        found[record.kind][record.uid] = record.object
        if removes(record):
            del found[record.kind][record.uid]
    return list(found[PHYSICAL_HOST.kind].values()), list(found[BESKAR7_MACHINE.kind].values())


def _answering(evidence: Evidence, aftermath: Aftermath, identity: str) -> set[str]:
    """The BMCs, as the controller names them, whose last request by this manager was answered."""
    addresses = {plan.name: plan.address for plan in plan_hosts(evidence.scenario.world.hosts)}
    last: dict[str, BmcRecord] = {}
    for request in (*evidence.requests, *aftermath.requests):
        if request.agent == MANAGER_AGENT + identity and request.operation:
            last[request.host] = request
    return {
        f"{addresses[host]}:8000"
        for host, request in last.items()
        if 200 <= request.status < 300 and not request.fault and host in addresses
    }


def _given_up(machine: Object) -> bool:
    return phase(machine) == "Failed" or deleting(machine)


def _show(value: Mapping[str, int] | float) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{count} {name}" for name, count in sorted(value.items())) or "nothing"
    return f"{value:g}"
