"""Requirements: each filters by itself, each exclusion is told, unknown inventory is not a no."""

from __future__ import annotations

import pytest

from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.coordination.requirements import ANY, Requirements

pytestmark = pytest.mark.unit


def host(cores: int | None = 32, memory: int = 128, tags=("gpu",), **labels: str) -> PhysicalHost:
    details = {} if cores is None else {"cpuCores": cores, "memoryGiB": memory, "model": "x"}
    return PhysicalHost(
        {
            "metadata": {"name": "h", "namespace": "default", "labels": labels},
            "spec": {"tags": list(tags)},
            "status": {"hardwareDetails": details},
        }
    )


def wish(**fields) -> Requirements:
    return Requirements.of(Beskar7Machine({"spec": {"hostRequirements": fields}}))


@pytest.mark.upstream("U22")
@pytest.mark.parametrize(
    ("fields", "unmet"),
    [
        ({"requiredTags": ["gpu"]}, []),
        ({"requiredTags": ["gpu", "ssd"]}, ["tag ssd"]),
        ({"requiredLabels": {"zone": "a"}}, []),
        ({"requiredLabels": {"zone": "b"}}, ["label zone=b"]),
        ({"minCPUCores": 32}, []),
        ({"minCPUCores": 33}, ["minCPUCores 33"]),
        ({"minMemoryGB": 128}, []),
        ({"minMemoryGB": 129}, ["minMemoryGB 129"]),
        ({"preferredTags": ["ssd"], "preferredLabels": {"zone": "b"}}, []),
    ],
)
def test_what_is_required_filters(fields, unmet):
    assert list(wish(**fields).unmet(host(zone="a"))) == unmet
    assert wish(**fields).met(host(zone="a")) is not bool(unmet)


def test_no_requirements_are_simple_and_equal_whatever_their_spelling():
    assert wish() == ANY == Requirements.of(Beskar7Machine({}))
    assert wish(requiredTags=[], minCPUCores=0).simple
    assert wish(requiredTags=["b", "a"]) == wish(requiredTags=["a", "b"])
    assert not wish(preferredTags=["a"]).simple


def test_preferences_are_counted():
    asked = wish(preferredTags=["gpu", "ssd"], preferredLabels={"zone": "a"})
    assert asked.preference(host(zone="a")) == 2
    assert asked.preference(host(tags=())) == 0


def test_a_hopeless_wish_says_what_excludes_how_many():
    asked = wish(requiredTags=["gpu"], minCPUCores=64)
    hosts = [host(32), host(128, tags=()), host(16)]
    why = asked.hopeless(hosts)
    assert why == (
        "none of 3 hosts satisfies hostRequirements: minCPUCores 64 excludes 2, tag gpu excludes 1"
    )
    assert asked.hopeless([*hosts, host(64)]) == ""


def test_a_host_that_is_not_inspected_yet_is_hope_unless_its_tags_rule_it_out():
    assert wish(minCPUCores=64).hopeless([host(None)]) == ""
    assert wish(minCPUCores=64, requiredTags=["ssd"]).hopeless([host(None)]) != ""
    assert wish(minCPUCores=64).hopeless([]) == "", "hosts may still come"
