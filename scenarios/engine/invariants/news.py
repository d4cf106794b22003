"""Whether the Events tell what happened, as often as it happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from beskar7.api.kinds import EVENT, LEASE, PHYSICAL_HOST
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.evidence import Aftermath, Evidence
from scenarios.engine.history import MANAGER_AGENT, consumer_uid, dig, state
from scenarios.engine.inside import Life
from scenarios.engine.invariants.claims import belied, unheard
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

WANTED = ("Claimed", "Provisioning", "Deprovisioning")
"""States in which a failure is ``ProvisioningFailed``."""
REJECTED = "beskar7_provisioning_queue_rejections_total"


def events_agree(evidence: Evidence, rules: Rules) -> Judged:
    """For what was written and answered there are Events, of the same manager, and no more claims
    or releases are told than were.

    An Event is news, not work: what a manager had not written yet when it was killed is lost with
    it, and what the API refused three times too. So only managers are judged that live, have lost
    no Event and had no write of one refused; and led, if at all, from their one election to the
    end: who was too slow to renew its own lease is elected again, and has begun a new term.
    What is told before the write that it is about may be told again when that is refused.
    """
    aftermath = evidence.aftermath
    if aftermath is None:
        return Judged()
    writes = [*evidence.history.writes, *aftermath.writes]
    counts = told(writes)
    done = _done(evidence, aftermath)
    effects = unheard(writes, aftermath.look.calls)
    unsure = {call.client for call in aftermath.look.calls if belied(call, effects)}
    found: list[Violation] = []
    cases = 0
    for identity, life in sorted(aftermath.look.lives.items()):
        client = MANAGER_AGENT + identity
        terms = counts[client, LEASE.kind, "LeaderElected"]
        if terms > 1 or not _judged(client, life, aftermath, writes):
            continue
        for reason, kind, least, exact in _expected(done, client, life):
            cases += 1
            exact = exact and (reason != "Claimed" or client not in unsure)
            count = counts[client, kind, reason]
            if count < least or (exact and count != least):
                text = f"{identity} told {reason} of {kind}s {count} times; it was so {least} times"
                found.append(Violation("events-agree", "", "", aftermath.look.time, text))
    return Judged(found, cases)


def _expected(
    done: Counter[tuple[str, str]], client: str, life: Life
) -> Iterator[tuple[str, str, int, bool]]:
    """Reason, kind, how often, and whether exactly so often."""
    host = PHYSICAL_HOST.kind
    yield "Claimed", host, done[client, "claimed"], True
    yield "Released", host, done[client, "released"], True
    yield "Provisioned", host, done[client, "provisioned"], False
    yield "ProvisioningFailed", host, done[client, "failed"], False
    yield "QueueFull", host, int(life.total(REJECTED)), True


def _judged(client: str, life: Life, aftermath: Aftermath, writes: list[WriteRecord]) -> bool:
    if not life.alive or life.lost_events:
        return False
    if any(
        c.outcome != "ok" for c in aftermath.look.calls if c.client == client and c.kind == "Event"
    ):
        return False
    # A term's recorder goes with the term, and what it still held is counted nowhere.
    return life.leading or not any(
        w.client == client and w.kind == PHYSICAL_HOST.kind for w in writes
    )


def told(writes: Iterable[WriteRecord]) -> Counter[tuple[str, str, str]]:
    """How often, by client, kind of the object and reason; the last count of each Event holds."""
    counts: dict[str, tuple[tuple[str, str, str], int]] = {}
    for record in writes:
        if record.kind == EVENT.kind and record.outcome == "ok" and record.verb != "delete":
            kind = str(dig(record.object, "involvedObject", "kind") or "")
            reason = str(dig(record.object, "reason") or "")
            count = int(dig(record.object, "count") or 1)
            counts[f"{record.namespace}/{record.name}"] = (record.client, kind, reason), count
    found: Counter[tuple[str, str, str]] = Counter()
    for key, count in counts.values():
        found[key] += count
    return found


def _done(evidence: Evidence, aftermath: Aftermath) -> Counter[tuple[str, str]]:
    """What each client wrote of hosts and got an answer for."""
    answered = {
        (call.client, call.version)
        for call in aftermath.look.calls
        if call.kind == PHYSICAL_HOST.kind and call.outcome == "ok" and call.verb != "get"
    }
    done: Counter[tuple[str, str]] = Counter()
    for record in [*evidence.history.writes, *aftermath.writes]:
        if record.kind != PHYSICAL_HOST.kind or record.outcome != "ok":
            continue
        if (record.client, record.resource_version) not in answered:
            continue
        was, now = record.previous, record.object
        client = record.client
        done[client, "claimed"] += bool(consumer_uid(now) and not consumer_uid(was))
        done[client, "released"] += bool(consumer_uid(was) and not consumer_uid(now))
        if state(was) != state(now):
            done[client, "provisioned"] += state(now) == "Provisioned"
            done[client, "failed"] += state(now) == "Error" and state(was) in WANTED
    return done
