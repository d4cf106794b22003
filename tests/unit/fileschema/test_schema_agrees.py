"""The schema of scenario files says what the loader says, as far as a schema can say it."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beskar7.api.documents import read_file
from beskar7.api.problems import Problems
from beskar7.cli import main
from scenarios.engine.loader import catalog, read_scenario
from scenarios.fileschema.build import schema_of
from scenarios.fileschema.command import text
from scenarios.fileschema.paths import node_of
from scenarios.fileschema.scenariofile import SCENARIO
from scenarios.fileschema.text import text_of
from scenarios.swarm.draw import draw

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
FOLDERS = ("benchmarks", "examples", "scenarios", "tests/sim/seeds")
VALUES: tuple[Any, ...] = (
    *("", "x", "10s", "-10s", "5", "dell", "leader", "5/s", "10%", "A b"),
    *(-1, 0, 1, 7, 101, 10**15, 0.5, -0.5, 1e15, True, False),
    *([], ["x"], [""], [1], [{}], {}, {"x": 1}, {"x": {}}),
)
"""Put in place of what stands there; not null, which is nothing to the loader."""
SAID = (
    "unknown field",
    "is missing",
    "has to be ",
    "is unknown; ",
    ": unknown; ",
    "it has to be from ",
    "belongs to faults of kind",
    "belongs to operations",
    "the limit is ",
    "has no unit",
    "is not a duration",
    "has no action",
    "actions; give one of",
    "has no condition",
    "conditions; give one of",
    "has no bound",
    "has several bounds",
    'give either "at: 3s"',
    "has several conditions",
    "is of recover",
    "does not go with quantile",
    "what has come stays so",
    "takes neither count nor probability",
)
"""What the loader says of types, names, bounds and fields that do not go together."""


@functools.cache
def schema() -> dict[str, Any]:
    return schema_of(SCENARIO)


@functools.cache
def validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema())


def scenario_files() -> list[Path]:
    """Every scenario of the repository."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.yaml"))]
    needed = {"name:", "world:", "load:"}
    return [
        path
        for path in paths
        if needed <= {line.split(" ")[0] for line in path.read_text("utf-8").splitlines()}
    ]


def told(document: Any) -> list[str]:
    """What the loader finds wrong."""
    problems = Problems()
    read_scenario(node_of(document), problems)
    return [f"{problem.path}: {problem.message}" for problem in problems.found]


def test_the_schema_is_one_and_the_file_is_what_its_script_writes() -> None:
    jsonschema_rs.meta.validate(schema())
    assert text_of(schema()) == text("scenario"), "run python ci/file_schemas.py"
    assert json.loads(text("scenario")) == schema()


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


def test_catalog_files_name_the_schema_for_editors() -> None:
    for path in catalog().values():
        first = path.read_text("utf-8").splitlines()[0]
        place = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / place).resolve() == ROOT / "scenarios" / "scenario.schema.json"


@pytest.mark.parametrize("path", scenario_files(), ids=lambda path: path.stem)
def test_every_scenario_of_the_repository_keeps_the_schema(path: Path) -> None:
    assert [str(error) for error in validator().iter_errors(read_file(path).plain())] == []


def test_the_repository_has_scenarios_to_look_at() -> None:
    assert len(scenario_files()) > 60


@pytest.mark.parametrize("seed", range(20))
def test_every_world_of_the_swarm_keeps_the_schema(seed: int) -> None:
    assert [str(error) for error in validator().iter_errors(draw(seed))] == []


@functools.cache
def bases() -> list[dict[str, Any]]:
    """Documents that are right: of the catalog, of the swarm, and one with what a load may have."""
    found = [read_file(path).plain() for path in catalog().values()]
    found += [draw(seed) for seed in range(100, 106)]
    load = {
        "machines": 5,
        "provisioning_mode": "RemoteConfig",
        "config_url": "http://config.example/a",
        "boot_mode": "UEFI",
        "requirements": {"required_tags": ["gpu"], "min_cpu_cores": 4},
        "mix": [{"weight": 2}, {"provisioning_mode": "PXE", "requirements": {}}],
        "arrivals": {"diurnal": {"mean": "200/d", "peak": 3, "at": "9h"}},
        "lifetime": {"exponential": "30m"},
        "namespace": "default",
    }
    hosts = {"count": 50, "vendors": {"dell": 1}, "scale": {"boot": 0.1}, "shards": 2}
    found.append({"name": "a", "world": {"hosts": hosts}, "load": load})
    return [document for document in found if not told(document)]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in the document but of itself."""
    if path:
        yield path
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, item in items:
        yield from places(item, (*path, name))


@st.composite
def mutated(draws: st.DrawFn) -> tuple[Any, Any]:
    """A right document with one change, and the value that was put in."""
    document = copy.deepcopy(draws(st.sampled_from(bases())))
    *inner, last = draws(st.sampled_from(list(places(document))))
    at = document
    for step in inner:
        at = at[step]
    way = draws(st.sampled_from(("value", "value", "field", "name", "out")))
    value = draws(st.sampled_from(VALUES))
    if way == "value" or isinstance(at, list):
        at[last] = copy.deepcopy(value)
    elif way == "out":
        del at[last]
    elif way == "name":
        at[f"{last}x"] = at.pop(last)
    else:
        name = draws(st.sampled_from(("count", "kind", "min", "delay", "status", "latency", "x")))
        at[name] = copy.deepcopy(value)
    return document, value


TIMES = re.compile(r"it has to be from (-?[\d.]+(ms|s|m|h)|[\d.e+-]+/s)")
BEYOND = ("argument --", '" is unknown; known: dell, ')
"""What no schema says of all that is in :data:`SAID`: the values of the manager's flags, and which
vendors a fault may select where the file has personalities of its own."""
SETTING = re.compile(r"world\.config\.\S+: (?!unknown|has to be )")
"""Nor what values a ConfigMap's settings have, which are texts with a grammar for each."""


def beyond(message: str) -> bool:
    """Whether no schema can say it; of times and rates with units it bounds no text."""
    said = TIMES.search(message) or SETTING.match(message)
    return bool(said) or any(words in message for words in BEYOND)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_a_changed_document_is_judged_alike(change: tuple[Any, Any]) -> None:
    document, _ = change
    found = told(document)
    accepted = validator().is_valid(document)
    if not found:
        errors = [str(error) for error in validator().iter_errors(document)]
        assert accepted, errors
    elif any(any(words in each for words in SAID) and not beyond(each) for each in found):
        assert not accepted, found
