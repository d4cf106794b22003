"""Rendezvous selection: stable, spread, and free of dates."""

from __future__ import annotations

from collections import Counter

import pytest

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.coordination.selection import candidates, claimable, rendezvous

pytestmark = pytest.mark.unit


def host(name: str, **changes) -> PhysicalHost:
    raw = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {},
        "status": {"state": "Available", "ready": True},
    }
    for part, values in changes.items():
        raw[part] = {**raw[part], **values}
    return PhysicalHost(raw)


HOSTS = [host(f"host-{number:03d}") for number in range(50)]


def test_a_host_that_leaves_changes_only_the_choices_that_fell_on_it():
    machines = [ObjectKey("default", f"m-{number}") for number in range(200)]
    before = {machine: rendezvous(machine, HOSTS)[0].name for machine in machines}
    after = {machine: rendezvous(machine, HOSTS[1:])[0].name for machine in machines}
    moved = {machine for machine in machines if before[machine] != after[machine]}
    assert moved == {machine for machine in machines if before[machine] == HOSTS[0].name}


def test_first_choices_are_spread_over_all_hosts():
    counts = Counter(
        rendezvous(ObjectKey("default", f"m-{number}"), HOSTS)[0].name for number in range(5000)
    )
    assert len(counts) == 50
    # Poisson(100): 6 standard deviations either way.
    assert 40 <= min(counts.values()) <= max(counts.values()) <= 160


def test_namespace_and_name_are_not_mixed_up():
    one = [h.name for h in rendezvous(ObjectKey("a-b", "c"), HOSTS)]
    other = [h.name for h in rendezvous(ObjectKey("a", "b-c"), HOSTS)]
    assert one != other


@pytest.mark.parametrize(
    "unfit",
    [
        host("h", status={"ready": False}),
        host("h", status={"state": "Enrolling"}),
        host("h", status={"state": "Deprovisioning"}),
        host("h", spec={"consumerRef": {"uid": "1", "name": "m"}}),
        host("h", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        host("h", metadata={"annotations": {"cluster.x-k8s.io/paused": ""}}),
    ],
)
def test_unfit_hosts_are_not_offered(unfit: PhysicalHost):
    assert claimable(host("h"))
    assert not claimable(unfit)
    assert candidates("deterministic", ObjectKey("default", "m"), [unfit]) == []


def test_a_machine_gets_hosts_of_its_own_namespace_only():
    foreign = host("h", metadata={"namespace": "other"})
    assert candidates("deterministic", ObjectKey("default", "m"), [foreign]) == []
