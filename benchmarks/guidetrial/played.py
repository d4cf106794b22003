"""What a run in virtual time comes to: the engine's measures, and some that the guide asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

from prometheus_client.parser import text_string_to_metric_families

from beskar7.api.kinds import LEASE
from beskar7.manager import Manager
from beskar7.term import MANAGER_LEASE
from guidetrial.model import WORLDS, Run
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import dig
from scenarios.engine.invariants.operations import group
from scenarios.engine.loader import load
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.measures import percentile
from scenarios.engine.trial import play
from scenarios.engine.virtual import VirtualWorld
from scenarios.engine.world import World

KEPT = (
    "claim_seconds.p95",
    "waited_claim_seconds.p95",
    "queue_seconds.p50",
    "queue_seconds.p95",
    "queue_seconds.max",
    "ready_seconds.p50",
    "ready_seconds.p95",
    "release_seconds.p95",
    "bmc_operation_seconds.mean",
    "bmc_operation_seconds.p95",
    "bmc_operation_seconds.max",
    "failover_seconds.max",
    "failover_seconds.mean",
    "claimed",
    "provisioned",
    "waiting",
    "conflict_ratio",
    "writes_per_claim",
    "bmc_concurrent_operations_max",
)
"""Of the engine's measures, see ``scenarios/engine/measure_names.py``."""
PERIOD = 1.0
"""Seconds between two looks at the queue."""
NEARLY = 0.8
"""Share of the queue's places at which the guide warns."""


@dataclass(slots=True)
class Watch:
    """What a scrape each second would tell: (time, waiting, places) of the queue, as the managers'
    gauges had it, of which the leader's alone are not zero; and how often one that lived and led
    no longer led at the next look."""

    queue: list[tuple[float, float, float]] = field(default_factory=list)
    lost: int = 0

    def begin(self, world: World) -> None:
        """Look at it from now on."""
        managers = cast(VirtualWorld, world)

        def look() -> None:
            led: list[Manager] = []
            while True:
                living = [manager for _, manager in managers.living()]
                self.lost += sum(each in living and not each.leading for each in led)
                led = [each for each in living if each.leading]
                waiting = places = 0.0
                for each in living:
                    for family in each.metrics.queue_length.collect():
                        waiting += sum(sample.value for sample in family.samples)
                    for family in each.metrics.queue_capacity.collect():
                        places = max(places, *(sample.value for sample in family.samples))
                self.queue.append((world.runtime.now(), waiting, places))
                world.runtime.sleep(PERIOD)

        world.runtime.spawn(look, name="guide-trial/watch")

    def figures(self) -> dict[str, float]:
        """``queue_warning_seconds``: from four fifths of the places taken until all were, at the
        first time (0: at once); only when it was ever full."""
        shares = [(time, waiting / places) for time, waiting, places in self.queue if places]
        nearly = [time for time, share in shares if share >= NEARLY]
        full = [time for time, share in shares if share >= 1.0]
        found = {
            "queue_peak": max((waiting for _, waiting, _ in self.queue), default=0.0),
            "queue_peak_share": max((share for _, share in shares), default=0.0),
            "queue_nearly_full_seconds": len(nearly) * PERIOD,
            "queue_full_seconds": len(full) * PERIOD,
            "leaderships_lost": float(self.lost),
        }
        if full:
            found["queue_warning_seconds"] = full[0] - nearly[0]
        return found


def play_run(run: Run, seed: int) -> dict[str, float]:
    """The figures of one run.

    Raises:
        RuntimeError: it did not come to its end, or an invariant broke: it would tell nothing.
    """
    watch = Watch()
    scenario = load(str(WORLDS / f"{run.world}.yaml"), list(run.sets))
    result = play(scenario, seed, prepare=watch.begin)
    evidence = result.evidence
    if not result.passed:
        raise RuntimeError(f"{run.name}, seed {seed}: {result.verdict()}")
    measured = {name: result.metrics.get(name) for name in KEPT}
    found = {name: value for name, value in measured.items() if value is not None}
    return found | watch.figures() | times(evidence) | operations(evidence) | counters(evidence)


def times(evidence: Evidence) -> dict[str, float]:
    """``makespan_seconds``: from the load's start to the last machine Provisioned.
    ``whole_seconds``: machine created -> Provisioned, its wait for a host included.
    ``leader_changes_per_second``: terms of the manager's lease, from the second one on, as the
    first began with the world."""
    machines = machine_times(evidence)
    rows = [row.provisioned for row in machines if row.provisioned is not None]
    found = {"enrol_seconds": evidence.origin - evidence.began}
    if rows:
        found["makespan_seconds"] = max(rows) - evidence.origin
        whole = [row.provisioned - row.created for row in machines if row.provisioned is not None]
        found["whole_seconds.p50"] = percentile(whole, 0.5)
        found["whole_seconds.p95"] = percentile(whole, 0.95)
    begun: dict[tuple[str, str], float] = {}
    for record in evidence.history.writes:
        if record.kind == LEASE.kind and record.name == MANAGER_LEASE and record.outcome == "ok":
            holder = str(dig(record.object, "spec", "holderIdentity") or "")
            if holder:
                since = str(dig(record.object, "spec", "acquireTime"))
                begun.setdefault((holder, since), record.time)
    terms = sorted(begun.values())
    if len(terms) > 2:
        found["leader_changes_per_second"] = (len(terms) - 2) / (terms[-1] - terms[1])
    return found


def operations(evidence: Evidence) -> dict[str, float]:
    """``bmc_interval_seconds``: from the first write of an operation to that of the next on the
    same BMC, mean; ``bmc_rest_seconds``: from the last write of one."""
    starts = [[each.start for each in several] for several in group(evidence.requests).values()]
    written = [
        each.end - each.touched
        for several in group(evidence.requests).values()
        for each in several
        if each.header.kind
    ]
    gaps = [later - earlier for several in starts for earlier, later in pairwise(several)]
    rests = [
        later.start - earlier.end
        for several in group(evidence.requests).values()
        for earlier, later in pairwise(several)
    ]
    found: dict[str, float] = {}
    if written:
        found["write_seconds.mean"] = sum(written) / len(written)
    if gaps:
        found["bmc_interval_seconds"] = sum(gaps) / len(gaps)
        found["bmc_rest_seconds"] = sum(rests) / len(rests)
        found["bmc_operations_per_minute"] = 60 * len(gaps) / sum(gaps)
    return found


def counters(evidence: Evidence) -> dict[str, float]:
    """From the managers' own counters at the end, for what only they count."""
    span = max(1e-9, evidence.ended - evidence.origin)
    samples = list(parsed(evidence.manager_metrics.values()))
    rejected = sum(v for name, _, v in samples if name == REJECTIONS)
    waits: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for name, labels, value in samples:
        if name == COOLDOWNS:
            waits[labels["bmc_address"]] += int(value)
        if name == OPERATIONS:
            ended[labels["outcome"]] += int(value)
    total = sum(ended.values())
    return {
        "rejections": rejected,
        "cooldown_waits_per_second": sum(waits.values()) / span,
        "cooldown_waits_per_second_max": max(waits.values(), default=0) / span,
        "failed_operations_share": 1 - ended["success"] / total if total else 0.0,
    }


REJECTIONS = "beskar7_provisioning_queue_rejections_total"
COOLDOWNS = "beskar7_bmc_cooldown_waits_total"
OPERATIONS = "beskar7_concurrent_provisioning_operations_total"


def parsed(texts: Iterable[str]) -> Iterable[tuple[str, Mapping[str, str], float]]:
    """(name, labels, value) of each sample in Prometheus' text format."""
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value
