"""The claim storm: deterministic, within its thresholds, and able to fail."""

from __future__ import annotations

import itertools

import pytest

from beskar7.controllers import bmc_requests
from beskar7.coordination.queue import ProvisioningQueue
from emulator.kube import admission
from emulator.kube.store.store import Store

pytestmark = pytest.mark.sim


def verdicts(result) -> dict[str, str]:
    return {item.name: item.verdict for item in result.invariants}


@pytest.mark.upstream("U36")
def test_storm_holds_and_replays_from_its_seed(play):
    first, again, other = play("claim-storm"), play("claim-storm"), play("claim-storm", seed=8)
    assert first.passed, first.violations[:3]
    assert other.passed, other.violations[:3]
    assert set(verdicts(first).values()) == {"held"}
    assert first.evidence.trace_hash == again.evidence.trace_hash
    assert first.evidence.trace_hash != other.evidence.trace_hash


LEADER_MODE = (
    "world.managers.args.enable-claim-coordinator-leader-election=true",
    "world.managers.args.claim-coordinator-lease-duration=4s",
    "world.managers.args.claim-coordinator-renew-deadline=3s",
    "world.managers.args.claim-coordinator-retry-period=500ms",
    "checks.conflict_ratio.max=0%",
)


def test_storm_holds_without_conflicts_when_claims_are_handed_over(play):
    result = play("claim-storm", overrides=LEADER_MODE)
    assert result.passed, (result.violations[:3], result.checks)
    assert set(verdicts(result).values()) == {"held"}
    assert any(record.kind == "HostClaim" for record in result.evidence.history.writes)


def _named(result, invariant: str) -> None:
    """The invariant is violated, and each violation says which host and when."""
    assert not result.passed
    assert verdicts(result)[invariant] == "violated"
    for violation in result.violations:
        if violation.invariant == invariant:
            assert violation.host.startswith("host-")
            assert violation.time >= result.evidence.origin
            assert violation.detail


def test_without_the_resource_version_check_hosts_get_two_owners(play, monkeypatch):
    original = Store.update

    def careless(self, kind, sent, **options):
        sent = {**sent, "metadata": {**sent["metadata"]}}
        current = self.get(kind, sent["metadata"].get("namespace"), sent["metadata"]["name"])
        sent["metadata"]["resourceVersion"] = current.copy()["metadata"]["resourceVersion"]
        return original(self, kind, sent, **options)

    monkeypatch.setattr(Store, "update", careless)
    # Admission would refuse to replace one owner by another: a second lock.
    monkeypatch.setattr(admission, "install", lambda store: store)
    # Two have to want one host in one moment, which workers of one manager never do.
    all_claim = ("world.managers.args.leader-elect=false",)
    _named(play("claim-storm", overrides=all_claim), "single-owner")


def test_without_the_bmc_lock_operations_meet_on_one_bmc(play, monkeypatch):
    names = map(str, itertools.count())
    monkeypatch.setattr(bmc_requests, "bmc_id", lambda address: next(names))
    result = play("claim-storm")
    violated = {name for name, verdict in verdicts(result).items() if verdict == "violated"}
    assert violated & {"bmc-exclusive", "bmc-cooldown"}, verdicts(result)
    _named(result, sorted(violated & {"bmc-exclusive", "bmc-cooldown"})[0])


def test_without_the_cooldown_bmcs_get_no_rest(play, monkeypatch):
    monkeypatch.setattr(ProvisioningQueue, "_rest_until", lambda self, operation: 0.0)
    _named(play("claim-storm"), "bmc-cooldown")
