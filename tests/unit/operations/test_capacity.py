"""The capacity report (facts section 11, row 25), and the sizing rules (section 12)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.states import HostState
from beskar7.operations import sizing
from beskar7.operations.capacity import assess
from beskar7.operations.capacity_groups import Group
from beskar7.operations.pool import Pool

pytestmark = pytest.mark.unit

OWNER = {"consumerRef": {"kind": "Beskar7Machine", "name": "m", "uid": "u"}}


def test_row_25_no_hosts_are_no_division(make: SimpleNamespace) -> None:
    found = assess(replace(make.healthy(), hosts=[], machines=[]))
    assert found.pool == Group(0, 0, 0, 0, 0, None)
    assert found.to_json()["pool"]["use"] is None
    assert found.recommendations == []


def test_row_25_a_host_in_error_is_not_in_use(make: SimpleNamespace) -> None:
    hosts = [make.host(f"h{n}", "Provisioned", **OWNER) for n in range(2)]
    hosts += [make.host(f"a{n}") for n in range(2)]
    hosts += [make.host(f"e{n}", "Error", **OWNER) for n in range(6)]
    found = assess(replace(make.healthy(), hosts=hosts, machines=[]))
    assert found.pool == Group(10, 2, 2, 6, 0, 0.5)
    assert found.recommendations == ["6 hosts in Error: beskar7 recover hosts"]


def test_row_25_the_queue_is_beside_its_capacity(make: SimpleNamespace) -> None:
    text = make.quiet.replace('"default"} 0', '"default"} 17').replace("capacity 50", "capacity 20")
    full = assess(replace(make.healthy(), managers=make.managers(manager_a=text)))
    assert full.to_json()["queue"] == {"length": 17, "capacity": 20, "use": 0.85}
    assert any("17 of 20 places" in each for each in full.recommendations)
    unknown = assess(replace(make.healthy(), managers=make.managers()))
    assert unknown.to_json()["queue"] == {"length": 0, "capacity": 0, "use": None}


@pytest.mark.parametrize(
    ("used", "told"),
    [(80, ""), (81, "81% of the usable hosts are in use: add 10"),
     (90, "90% of the usable hosts are in use: add 10"),
     (91, "91% of the usable hosts are in use: add 20")],
)  # fmt: skip
def test_a_pool_in_use_grows_by_the_guides_thresholds(
    used: int, told: str, make: SimpleNamespace
) -> None:
    hosts = [make.host(f"h{n}", "Provisioned", **OWNER) for n in range(used)]
    hosts += [make.host(f"a{n}") for n in range(100 - used)]
    found = assess(replace(make.healthy(), hosts=hosts, machines=[]), machines=0)
    assert list(found.recommendations) == ([told] if told else [])


def test_who_waits_is_told_with_whether_a_host_could_ever_do(make: SimpleNamespace) -> None:
    gpu = {"hostRequirements": {"requiredTags": ["gpu"]}}
    fpga = {"hostRequirements": {"requiredTags": ["fpga"]}}
    hosts = [make.host("h1", "Provisioned", tags=["gpu"], **OWNER), make.host("h2")]
    hosts.append(make.host("elsewhere", namespace="other", tags=["fpga"]))
    machines = [make.machine("m1"), make.machine("m2", **gpu), make.machine("m3", **gpu)]
    machines.append(make.machine("m4", **fpga))
    found = assess(replace(make.healthy(), hosts=hosts, machines=machines))
    told = {each.requirements: each for each in found.demands}
    assert (told["any host"].fitting, told["any host"].free) == (2, 1)
    assert (told["tag gpu"].machines, told["tag gpu"].fitting, told["tag gpu"].free) == (2, 1, 0)
    assert told["tag gpu"].hopeless == ""
    assert told["tag fpga"].fitting == 0  # a host of another namespace does not count
    assert "tag fpga excludes 2" in told["tag fpga"].hopeless
    assert found.recommendations[0].startswith("1 machine of namespace default in vain: none of 2")
    assert "namespace default is short of 2 hosts: add 3, at most 5 at a time" in (
        found.recommendations
    )


def test_the_worked_example_of_the_documentation(make: SimpleNamespace) -> None:
    """200 hosts, 50 at the peak, 15 reconciles: 678 MB, as it says."""
    found = assess(
        replace(
            make.healthy(),
            hosts=[make.host(f"h{n}") for n in range(200)],
            machines=[],
            config_map={"data": {"reconcile.maxConcurrentReconciles": "15"}},
        ),
        machines=50,
        per_hour=50,
    )
    sizes = {size.name: size for size in found.sizes}
    assert sizes["memory"].needed == 678_000_000
    assert sizes["memory"].configured == 2**30
    assert sizes["memory"].enough
    assert sizes["cpu"].needed == 0.4
    assert sizes["provisioning.maxQueueSize"].needed == 75
    assert sizes["replicas"].needed == 5
    assert sizes["hosts"].needed == 60
    assert list(found.recommendations) == [
        "provisioning.maxQueueSize 50 is less than 75 "
        "(busiest hour x 1.5, and at least 5 x maxConcurrentOps)"
    ]
    assert [each.split()[0] for each in found.advice] == [
        "provisioning.workerCount",
        "reconcile.maxConcurrentReconciles",
        "replicas",
    ]


def test_the_busiest_hour_is_that_of_the_machines_there_are(make: SimpleNamespace) -> None:
    ages = [0, 100, 3500, 3599, 3600, 7300, 7301]
    machines = [make.machine(f"m{n}", age=age) for n, age in enumerate(ages)]
    assert assess(replace(make.healthy(), machines=machines)).per_hour == 4


@given(
    st.lists(
        st.tuples(st.sampled_from([*HostState, None]), st.booleans(), st.sampled_from("abc")),
        max_size=12,
    )
)
def test_every_host_is_counted_once(
    plan: list[tuple[str | None, bool, str]],
) -> None:
    hosts = [
        {
            "metadata": {"name": f"h{n}", "namespace": "d", "uid": f"u{n}"},
            "spec": OWNER if owned else {},
            "status": {"state": state, "hardwareDetails": {"manufacturer": vendor}},
        }
        for n, (state, owned, vendor) in enumerate(plan)
    ]
    group = Group.of(Pool.of(hosts, []).hosts)
    assert group.available + group.used + group.error + group.other == group.total == len(plan)
    assert min(group.available, group.used, group.error, group.other) >= 0
    assert group.use is None or 0 <= group.use <= 1


def test_sizing_grows_with_its_arguments() -> None:
    assert [sizing.replicas(hosts) for hosts in (0, 20, 21, 100, 101)] == [1, 1, 3, 3, 5]
    assert [sizing.growth(50, use) for use in (0.0, 0.8, 0.81, 0.9, 0.95)] == [0, 0, 5, 5, 10]
    assert sizing.hosts(50, 3) == 63
    assert sizing.workers(5) == 8
