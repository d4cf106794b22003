"""Machines of several kinds and hosts in groups: what a file may say, and what comes of it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.problems import DocumentError
from emulator.bmc.spec import FleetSpec
from scenarios.engine.expand import fleet_spec, machine, physical_host, plan_hosts
from scenarios.engine.loader import loads
from scenarios.engine.schema import HostRequirements, LoadSpec, Variant

pytestmark = pytest.mark.unit

GOOD = """\
name: variants
world:
  hosts:
    count: 5
    cores: 16
    labels: {tier: plain, site: a}
    tags: [any]
    groups:
      - {count: 2, cores: 64, labels: {tier: gold}, tags: [gpu]}
      - {count: 1, memory_gib: 512}
load:
  machines: 8
  config_url: http://config/node.yaml
  os_family: flatcar
  requirements: {required_tags: [gpu], min_cpu_cores: 8}
  mix:
    - {weight: 3}
    - {provisioning_mode: PXE, requirements: {}}
    - {provisioning_mode: PreBakedISO, boot_mode: Legacy, os_family: LeapMicro}
"""


def errors(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        loads(text, "s.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_variant_takes_from_the_load_what_it_leaves_out() -> None:
    usual, network, baked = loads(GOOD).load.mix
    asked = HostRequirements(required_tags=("gpu",), min_cpu_cores=8)
    url = "http://config/node.yaml"
    assert usual == Variant(3, os_family="flatcar", config_url=url, requirements=asked)
    assert network == Variant(os_family="flatcar", provisioning_mode="PXE")
    assert (baked.config_url, baked.boot_mode, baked.requirements) == (None, "Legacy", asked)


def test_a_load_without_a_mix_is_one_variant() -> None:
    text = GOOD[: GOOD.index("  mix:")]
    (only,) = loads(text).load.mix
    assert only.config_url == "http://config/node.yaml"
    assert machine(loads(text).load, 7)["spec"] == {
        "imageURL": "http://images.example/kairos.iso",
        "osFamily": "flatcar",
        "configURL": "http://config/node.yaml",
        "hostRequirements": {"requiredTags": ["gpu"], "minCPUCores": 8},
    }


@settings(max_examples=50)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(0, 3))
def test_each_round_has_each_variant_as_often_as_it_weighs(weights: list[int], before: int) -> None:
    mix = tuple(Variant(w, image_url=f"http://i/{at}.iso") for at, w in enumerate(weights))
    load = LoadSpec(0, mix)
    first = before * sum(weights) + 1
    seen = Counter(
        machine(load, number)["spec"]["imageURL"] for number in range(first, first + sum(weights))
    )
    assert [seen[variant.image_url] for variant in mix] == weights


def test_the_mix_is_spread_and_not_in_blocks() -> None:
    load = LoadSpec(0, (Variant(2, os_family="kairos"), Variant(2, os_family="flatcar")))
    families = [machine(load, number)["spec"]["osFamily"] for number in range(1, 5)]
    assert families == ["kairos", "flatcar", "kairos", "flatcar"]


def test_groups_are_the_first_hosts_and_reach_bmcs_and_objects() -> None:
    scenario = loads(GOOD)
    fleet = FleetSpec.from_dict(fleet_spec(scenario, 1))
    assert [(host.cores, host.memory_gib) for host in fleet.hosts] == [
        *[(64, 128)] * 2,
        (16, 512),
        *[(16, 128)] * 2,
    ]
    objects = [
        physical_host(scenario, plan, "http://a") for plan in plan_hosts(scenario.world.hosts)
    ]
    assert [host["spec"]["tags"] for host in objects] == [["gpu"]] * 2 + [["any"]] * 3
    labels = [host["metadata"]["labels"] for host in objects]
    assert [found["tier"] for found in labels] == ["gold", "gold", "plain", "plain", "plain"]
    assert {found["site"] for found in labels} == {"a"}
    assert fleet.hosts[0].labels["tier"] == "gold"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("weight: 3", "weight: 0", 17, "load.mix[0].weight: is 0; it has to be from 1 to 1000"),
        ("weight: 3", "wieght: 3", 17, 'did you mean "weight"'),
        ("PXE", "PXI", 18, 'load.mix[1].provisioning_mode: "PXI" is unknown; did you mean "PXE"'),
        ("PXE, ", "RemoteConfig, ", 18, "load.mix[1].config_url: Required value: "),
        (
            "PreBakedISO,",
            "PreBakedISO, config_url: http://c/a.yaml,",
            19,
            "load.mix[2].config_url: Forbidden: provisioning_mode PreBakedISO never fetches it",
        ),
        ("Legacy", "BIOS", 19, "known: Legacy, UEFI"),
        ("node.yaml", "node.txt", 17, "load.mix[0].config_url: Invalid value"),
        ("[gpu], min", "[''], min", 15, "has to be a text of 1 to 63 characters"),
        ("min_cpu_cores: 8", "min_cpu_cores: -1", 15, "is -1; it has to be from 0 to 100000"),
        ("min_cpu_cores: 8", "min_cpu: 8", 15, 'unknown field; did you mean "min_cpu_cores"'),
        ("required_tags: [gpu]", "required_labels: [a]", 15, "has to be a mapping, not a list"),
        ("count: 2, cores", "count: 5, cores", 8, "have 6 hosts in all, but world.hosts.count"),
        ("memory_gib: 512", "memory: 512", 10, "groups[1].memory: unknown field; did you mean"),
        ("tier: gold", "tier: " + "g" * 64, 9, "the value of tier has 64 characters"),
    ],
)
def test_a_mistake_in_a_variant_is_told_with_its_line(
    old: str, new: str, line: int, says: str
) -> None:
    assert GOOD.count(old) == 1
    found = errors(GOOD.replace(old, new))
    assert any(text.startswith(f"s.yaml:{line}: ") and says in text for text in found), found


@pytest.mark.parametrize("value", ["", "[]"])
def test_an_empty_mix_is_no_mix(value: str) -> None:
    text = GOOD[: GOOD.index("  mix:")] + f"  mix: {value}\n"
    assert any("load.mix: is empty" in said for said in errors(text))


def test_a_load_that_admission_would_refuse_is_refused_before_anything_starts() -> None:
    text = "name: x\nworld: {hosts: {count: 1}}\nload:\n  machines: 1\n"
    assert "image_url: Invalid value" in errors(text + "  image_url: gopher://x/y.iso\n")[0]
    assert "config_url: Required value" in errors(text + "  provisioning_mode: RemoteConfig\n")[0]
