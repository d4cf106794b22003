"""Scenario files: what is read from them, and errors that say where and what would be right."""

from __future__ import annotations

import contextlib
import re
import textwrap
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.problems import DocumentError
from scenarios.engine.expand import apportion, fleet_spec, plan_hosts
from scenarios.engine.loader import catalog, load, loads
from scenarios.engine.schema import AddFault, Arrivals, ClearFault, KillManager, Lifetime

pytestmark = pytest.mark.unit

GOOD = """\
name: good
description: all there is
world:
  hosts:
    count: 10
    vendors: {dell: 2, hpe: 1}
    racks: 2
    scale: {boot: 0.5}
    labels: {zone: a, example.com/tier: 1}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 30s}
  config:
    provisioning.maxConcurrentOps: 20
load:
  machines: 12
  arrivals: {poisson: 5/s}
faults:
  - id: slow
    kind: latency
    select: {fraction: 0.1}
    latency: {mean: 500ms}
acts:
  - at: 1m30s
    kill_manager: {}
  - when: {provisioned: 3}
    delay: 2s
    add_fault: {id: hang, kind: hang, select: {hosts: [host-001]}, duration: 5s}
  - when: {settled: true}
    clear_fault: {id: hang}
checks:
  - {measure: claim_seconds.p95, max: 1s}
  - {measure: conflict_ratio, max: 10%}
limits: {timeout: 2m}
"""


def errors(text: str, *overrides: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        loads(text, "s.yaml", overrides)
    return [str(problem) for problem in caught.value.problems]


def test_everything_is_read() -> None:
    scenario = loads(GOOD)
    assert scenario.world.hosts.vendors == {"dell": 2.0, "hpe": 1.0}
    assert scenario.world.hosts.boot_scale == 0.5
    assert scenario.world.hosts.labels == {"zone": "a", "example.com/tier": "1"}
    assert scenario.world.managers.args == {"leader-elect-lease-duration": "30s"}
    assert scenario.world.config == {"provisioning.maxConcurrentOps": "20"}
    assert scenario.load.arrivals == Arrivals("poisson", 5.0)
    assert scenario.faults[0]["latency"]["mean"] == 0.5
    kill, add, clear = scenario.acts
    assert (kill.trigger.at, kill.action) == (90.0, KillManager("leader"))
    assert (add.trigger.condition, add.trigger.count, add.trigger.delay) == ("provisioned", 3, 2.0)
    assert isinstance(add.action, AddFault)
    assert clear.action == ClearFault("hang")
    assert [check.maximum for check in scenario.checks] == [1.0, 0.1]
    assert scenario.limits.timeout == 120.0


@pytest.mark.parametrize("name", sorted(catalog()))
def test_the_catalogue_is_valid_and_named_after_its_files(name: str) -> None:
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description


def test_the_examples_of_the_readme_are_valid() -> None:
    readme = Path(str(resources.files("scenarios"))) / "README.md"
    blocks = re.findall(r"```yaml\n(.*?)```", readme.read_text("utf-8"), re.S)
    example, day, faults, four_acts = blocks
    assert loads(example).total_machines == 60
    plain = re.search("  arrivals: batch.*\n", example)
    assert plain is not None
    daily = loads(example.replace(plain.group(), textwrap.indent(day, "  "))).load.arrivals
    assert daily.day.peak == 3.0
    assert len(loads(example.replace("faults: []", "faults:\n" + faults)).faults) == 5
    assert loads(example.replace("acts: []", four_acts)).rehearsal is not None


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        (
            "    count: 10",
            "    cout: 10",
            5,
            'world.hosts.cout: unknown field; did you mean "count"',
        ),
        ("    count: 10", "    count: ten", 5, 'whole number, not the text "ten"'),
        ("    count: 10", "    count: 0", 5, "is 0; it has to be from 1 to 10000"),
        ("    count: 10", "    count: true", 5, "not the boolean true"),
        ("{dell: 2, hpe: 1}", "{del: 2}", 6, 'vendors.del: unknown field; did you mean "dell"'),
        ("{dell: 2, hpe: 1}", "{dell: 0}", 6, "needs a weight above zero"),
        ("{dell: 2, hpe: 1}", "[dell]", 6, "has to be a mapping, not a list"),
        ("duration: 30s}", "duration: soon}", 12, "not a duration"),
        ("leader-elect-lease-duration", "leader-elekt", 12, "unrecognized"),
        ("machines: 12", "machines: -1", 16, "load.machines: is -1"),
        ("poisson: 5/s", "poisson: 5/w", 17, "has to be a rate such as 5/s, 40/h or 200/d"),
        ("poisson: 5/s", "gauss: 1", 17, "write batch, {poisson: 5/s}"),
        ("kind: latency", "kind: latencie", 20, 'did you mean "latency"'),
        ("mean: 500ms", "mean: 0.5", 22, "has no unit; write for example 0.5s"),
        ("fraction: 0.1", "fraction: 2", 21, "is 2; it has to be from 0 to 1"),
        ("at: 1m30s", "at: 1:30", 24, "90 has no unit; write for example 90s"),
        ("at: 1m30s", "later: 1s", 24, 'give either "at: 3s" or'),
        ("kill_manager: {}", "kill_managr: {}", 24, "has no action; give one of"),
        ("kill_manager: {}", "kill_manager: {target: boss}", 25, '"boss" is unknown'),
        ("provisioned: 3", "provisioned: 13", 26, "waits for 13 machines, but only 12 exist"),
        ("{provisioned: 3}", "{provisioned: 3, claimed: 2}", 26, "several conditions"),
        ("{settled: true}", "{settled: false}", 29, "can only be true"),
        ("{id: hang}", "{id: hnag}", 29, 'no fault "hnag" was added before; did you mean "hang"'),
        ("claim_seconds.p95", "claim_seconds.p96", 32, 'did you mean "claim_seconds.p9'),
        ("max: 1s", "max: 1", 32, "1 has no unit; write for example 1s"),
        ("max: 1s", "maximum: 1s", 32, "has no bound; give one of max, min, equals"),
        ("max: 10%", "max: 10", 33, "is 10; it has to be from 0 to 1"),
        ("limits: {timeout: 2m}", "limit: {timeout: 2m}", 34, 'did you mean "limits"'),
        ("name: good", "name: Not Good!", 1, "write for example claim-storm"),
        ("description: all there is", "name: again", 2, 'the field "name" stands twice'),
        ("load:\n", "load:\n  <<: *x\n", 16, "undefined alias"),
        ("machines: 12", "machines: !!python/name:os.system ''", 16, "is not supported"),
        ("machines: 12", "machines: [12", 17, "not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, says: str) -> None:
    assert GOOD.count(old) >= 1
    found = errors(GOOD.replace(old, new, 1))
    assert any(text.startswith(f"s.yaml:{line}: ") and says in text for text in found), found


def test_all_mistakes_are_told_at_once_in_the_files_order() -> None:
    broken = GOOD.replace("count: 10", "count: x").replace("machines: 12", "machine: 12")
    places = [text.split(": ")[0] for text in errors(broken)]
    assert places == ["s.yaml:5", "s.yaml:15", "s.yaml:16"]


def test_missing_parts_are_told_at_the_parent() -> None:
    assert errors("name: x") == [
        "s.yaml:1: world: is missing",
        "s.yaml:1: world.hosts: is missing",
        "s.yaml:1: world.hosts.count: is missing",
        "s.yaml:1: load: is missing",
        "s.yaml:1: load.machines: is missing",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name: is missing"),
        ("[1, 2]", "has to be a mapping, not a list"),
        ("a: &a [" + "x, " * 300 + "x]\nb: [" + "*a, " * 100 + "*a]", "more than 20000 values"),
        ("[" * 30 + "]" * 30, "nested deeper than 24"),
        ("[" * 3000, "not valid YAML"),
        ("? [a]\n: b", "name has to be a text"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_documents_that_are_no_scenario(text: str, says: str) -> None:
    assert any(says in problem for problem in errors(text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, content, says in [
        ("missing.yaml", None, "No such file"),
        ("big.yaml", b"a" * 300_000, "larger than 256 KiB"),
        ("latin.yaml", b"name: x\nb: \xff", "latin.yaml:2: not UTF-8"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DocumentError, match=says):
            load(str(path))
    with pytest.raises(DocumentError, match='did you mean "claim-storm"'):
        load("claim-strom")


def test_overrides_go_through_the_same_checks() -> None:
    scenario = loads(
        GOOD,
        "s.yaml",
        [
            "load.machines=99",
            "world.config.provisioning.maxConcurrentOps=7",
            "world.hosts.labels.example.com/tier=two",
            "acts.0.kill_manager.target=follower",
            "faults.slow.latency.mean=2s",
            "checks.1.max=20%",
            "load.arrivals=batch",
            "limits.enrol_timeout=9s",
        ],
    )
    assert scenario.load.machines == 99
    assert scenario.world.config["provisioning.maxConcurrentOps"] == "7"
    assert scenario.world.hosts.labels["example.com/tier"] == "two"
    assert scenario.acts[0].action == KillManager("follower")
    assert scenario.faults[0]["latency"]["mean"] == 2.0
    assert scenario.checks[1].maximum == 0.2
    assert scenario.load.arrivals == Arrivals()
    assert scenario.limits.enrol_timeout == 9.0


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("load.machines=many", "--set load.machines=many: load.machines: has to be a whole"),
        ("load.machnes=5", 'load.machnes: unknown field; did you mean "machines"'),
        ("lod.machines=5", 'lod: unknown field; did you mean "load"'),
        ("load.machines", "has to be PATH=VALUE"),
        ("load.machines.x=1", '"load.machines" is the number 12 and has no field "x"'),
        ("acts.9.at=1s", '"acts" has 3 elements'),
        ("faults.slw.kind=hang", 'no element "slw"; did you mean "slow"'),
        ("load.machines=[1", "not valid YAML"),
        ("limits.timeout=", "--set limits.timeout="),
    ],
)
def test_bad_overrides_name_their_path(override: str, says: str) -> None:
    if override.endswith("timeout="):
        assert loads(GOOD, "s.yaml", [override]).limits.timeout == 300.0, "empty is the default"
        return
    assert any(says in problem for problem in errors(GOOD, override))


@settings(max_examples=60)
@given(st.text(max_size=30), st.text(max_size=30))
def test_no_override_ever_escapes_as_another_error(path: str, value: str) -> None:
    with contextlib.suppress(DocumentError):
        loads(GOOD, "s.yaml", [f"{path}={value}"])


@settings(max_examples=60)
@given(st.integers(1, 10_000))
def test_an_integer_override_arrives_as_it_is(count: int) -> None:
    assert loads(GOOD, "s.yaml", [f"world.hosts.count={count}"]).world.hosts.count == count


@settings(max_examples=100)
@given(st.integers(0, 86_400_000))
def test_durations_survive_the_way_through_a_file(milliseconds: int) -> None:
    text = format_duration(milliseconds / 1000)
    scenario = loads(GOOD, "s.yaml", [f"acts.0.at={text}"])
    assert scenario.acts[0].trigger.at == pytest.approx(parse_duration(text))
    assert parse_duration(text) == pytest.approx(milliseconds / 1000, rel=1e-5)


@settings(max_examples=100)
@given(
    st.integers(1, 500),
    st.dictionaries(st.sampled_from("abcde"), st.floats(0.01, 100), min_size=1),
)
def test_shares_by_largest_remainder(count: int, weights: dict[str, float]) -> None:
    shares = apportion(count, weights)
    assert sum(shares.values()) == count
    total = sum(weights.values())
    for name, share in shares.items():
        assert abs(share - count * weights[name] / total) < 1


def test_vendors_are_spread_over_the_racks() -> None:
    hosts = plan_hosts(loads(GOOD, "s", ["world.hosts.count=300"]).world.hosts)
    assert [host.name for host in hosts[:2]] == ["host-001", "host-002"]
    assert len({host.address for host in hosts}) == 300
    for rack in ("rack-1", "rack-2"):
        assert sum(h.vendor == "dell" for h in hosts if h.rack == rack) == 100


def test_the_fleet_takes_what_a_scenario_expands_to() -> None:
    from emulator.bmc.spec import FleetSpec

    spec = FleetSpec.from_dict(fleet_spec(load("claim-storm"), 7))
    assert len(spec.hosts) == 50
    assert spec.seed == 7


def test_an_optional_mapping_is_suggested_although_it_is_absent() -> None:
    text = "name: x\nworld:\n  hosts:\n    count: 1\n    vendor: {dell: 1}\nload:\n  machines: 1\n"
    with pytest.raises(DocumentError, match=r'did you mean "vendors"\?'):
        loads(text)


def test_a_lifetime_is_read_and_a_senseless_one_is_named() -> None:
    text = GOOD.replace("machines: 12", "machines: 12\n  lifetime: {exponential: 30m}")
    assert loads(text).load.lifetime == Lifetime("exponential", 1800.0)
    for wrong, said in (
        ("5m", "write {exponential: 30m}"),
        ("{weibull: 5m}", "write {exponential: 30m}"),
        ("{constant: 5}", "has no unit"),
    ):
        with pytest.raises(DocumentError, match=said):
            loads(text.replace("{exponential: 30m}", wrong))
