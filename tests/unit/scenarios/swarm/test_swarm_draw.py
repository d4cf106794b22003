"""Drawn documents: all of them valid, the same everywhere, and over at some time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.config import read_setting
from beskar7.runtime.streams import Streams
from emulator.faultkinds import KINDS
from scenarios.engine.evidence import ends
from scenarios.engine.expand import plan_hosts
from scenarios.engine.loader import catalog, loads
from scenarios.swarm.apimishaps import DRAWN, api_fault
from scenarios.swarm.dice import Dice, Draws
from scenarios.swarm.draw import draw
from scenarios.swarm.files import read_document
from scenarios.swarm.mishaps import bmc_fault
from scenarios.swarm.scene import Scene
from scenarios.swarm.seedtrial import written
from scenarios.swarm.sound import unsound
from scenarios.swarm.worlds import CONFIG

pytestmark = pytest.mark.unit

seeds = st.integers(min_value=0, max_value=2**63 - 1)
SCENE = Scene(hosts=3, racks=2, vendors=("dell", "hpe"), managers=2, machines=4, window=20.0)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_every_document_is_sound_and_comes_back_the_same(seed: int) -> None:
    """Sound: it loads without a problem, and asks for nothing that is not promised."""
    document = draw(seed)
    assert not unsound(document)
    assert yaml.safe_load(written(document)) == document


@given(seeds, st.sampled_from([*catalog()]))
@settings(max_examples=10, deadline=None)
def test_a_base_keeps_its_world_and_load(seed: int, name: str) -> None:
    base = read_document(name)
    before = json.dumps(base)
    drawn = draw(seed, base)
    assert json.dumps(base) == before, "the base was changed"
    loads(written(drawn))
    assert drawn["load"] == base["load"]
    assert drawn["world"]["hosts"] == base["world"]["hosts"]
    assert "checks" not in drawn


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_faults_end_in_time_and_hit_somebody(seed: int) -> None:
    scenario = loads(written(draw(seed)))
    latest = [ends(fault, fault["start"]) for fault in scenario.faults]
    assert all(end is not None and end < 3 * 90.0 for end in latest)
    hosts = plan_hosts(scenario.world.hosts)
    names, racks = {host.name for host in hosts}, {host.rack for host in hosts}
    for fault in scenario.faults:
        if fault.get("target") != "api":
            select = fault["select"]
            assert set(select.get("hosts", ())) <= names
            assert set(select.get("racks", ())) <= racks
            assert set(select.get("vendors", ())) <= {host.vendor for host in hosts}


def test_each_seed_is_another_world_and_kinds_are_in_or_out() -> None:
    drawn = [draw(seed) for seed in range(300)]
    assert len({json.dumps(document) for document in drawn}) == 300
    kinds = [{fault["id"] for fault in document["faults"]} for document in drawn]
    # Swarm testing lives on what is left out: some runs without a fault, some with many.
    assert min(map(len, kinds)) == 0
    assert max(map(len, kinds)) >= 12
    seen = set().union(*kinds)
    assert {f"bmc-{kind}" for kind in KINDS} <= seen
    assert {f"api-{kind}" for kind in DRAWN} <= seen


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_every_kind_of_fault_can_be_drawn(seed: int) -> None:
    dice = Draws(Streams(seed)).of("test")
    faults = [bmc_fault(dice, kind, SCENE) for kind in KINDS.values()]
    faults += [api_fault(dice, kind, SCENE) for kind in DRAWN]
    hosts = {"count": 3, "vendors": {"dell": 2, "hpe": 1}, "racks": 2}
    document = {"name": "every-kind", "world": {"hosts": hosts}, "load": {"machines": 1}}
    loads(yaml.safe_dump(document | {"faults": faults}))


def test_the_values_of_settings_are_valid() -> None:
    for key, values in CONFIG.items():
        for value in values:
            read_setting(key, value)


def test_a_new_kind_leaves_the_other_draws_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = next(s for s in range(1000) if any(f["id"] == "bmc-html" for f in draw(s)["faults"]))
    before = draw(seed)
    rest = {name: kind for name, kind in KINDS.items() if name != "html"}
    monkeypatch.setattr("scenarios.swarm.mishaps.KINDS", rest)
    after = draw(seed)
    assert after["faults"] == [fault for fault in before["faults"] if fault["id"] != "bmc-html"]
    assert after["world"] == before["world"]


def test_the_same_under_any_hash_seed() -> None:
    code = (
        "import hashlib, json; from scenarios.swarm.draw import draw; "
        "print(hashlib.sha256(json.dumps([draw(s) for s in range(60)]).encode()).hexdigest())"
    )
    here = hashlib.sha256(json.dumps([draw(s) for s in range(60)]).encode()).hexdigest()
    for hash_seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        found = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert found.stdout.strip() == here


@given(seeds, st.floats(1e-3, 1e3), st.floats(1.0, 1e6))
def test_a_drawn_number_stays_within_its_bounds(seed: int, low: float, factor: float) -> None:
    dice: Dice = Draws(Streams(seed)).of("test")
    assert low <= dice.log(low, low * factor) <= low * factor
