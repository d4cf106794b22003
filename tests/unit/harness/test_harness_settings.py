"""The fields of @pytest.mark.beskar7: what they make, and what is said of those that cannot be."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from beskar7_harness.errors import SettingsError
from beskar7_harness.settings import SAFETY, settings
from scenarios.engine.invariants import INVARIANTS

pytestmark = pytest.mark.unit
PLACE = "tests/test_mine.py::test_a: @pytest.mark.beskar7"


def test_without_fields_a_lab_is_small_live_and_quick() -> None:
    made = settings({}, PLACE)
    world = made.scenario.world
    assert (made.clock, made.seed, made.scope, made.managers) == ("live", 1, "function", 1)
    assert (world.hosts.count, world.managers.replicas, made.enrol) == (3, 1, True)
    assert world.hosts.boot_scale < 0.01
    assert world.config == {"provisioning.bmcCooldownPeriod": "1s"}
    assert made.invariants == SAFETY
    assert set(SAFETY) < set(INVARIANTS)


def test_fields_are_those_of_a_scenario() -> None:
    made = settings(
        {
            "hosts": 20,
            "managers": 2,
            "vendors": ["dell", "hpe"],
            "racks": 4,
            "args": {"leader-elect-retry-period": "1s"},
            "config": {"provisioning.workerCount": "7"},
            "namespace": "metal",
            "clock": "virtual",
            "seed": 9,
            "set": ["world.hosts.scale.boot=0.5"],
        },
        PLACE,
    )
    world = made.scenario.world
    assert (world.hosts.count, world.managers.replicas, world.hosts.racks) == (20, 2, 4)
    assert world.hosts.vendors == {"dell": 1, "hpe": 1}
    assert world.hosts.boot_scale == 0.5
    assert world.managers.args == {"leader-elect-retry-period": "1s"}
    assert world.config["provisioning.workerCount"] == "7"
    assert "provisioning.bmcCooldownPeriod" in world.config
    assert (made.scenario.load.namespace, made.clock, made.seed) == ("metal", "virtual", 9)
    assert settings({"vendors": "dell"}, PLACE).scenario.world.hosts.vendors == {"dell": 1}


def test_the_options_seed_counts_before_the_marks() -> None:
    assert settings({"seed": 9}, PLACE, 4).seed == 4
    assert settings({"seed": 9}, PLACE).key != settings({"seed": 9}, PLACE, 4).key
    assert (
        settings({"hosts": 2, "seed": 9}, PLACE).key == settings({"seed": 9, "hosts": 2}, PLACE).key
    )


def test_somebody_elses_managers_are_not_beskar7s() -> None:
    made = settings({"manager_command": [sys.executable, "x.py"], "managers": 2}, PLACE)
    assert (made.manager_command, made.managers) == ((sys.executable, "x.py"), 2)
    # Nobody enrols hosts, and the promises are Beskar7's.
    assert (made.scenario.world.managers.replicas, made.enrol, made.invariants) == (0, False, ())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": 3}, 'host: unknown field; did you mean "hosts"?'),
        ({"hosts": 0}, "hosts: is 0; it has to be from 1 to 10000"),
        ({"hosts": "many"}, 'hosts: has to be a whole number, not the text "many"'),
        ({"hosts": object}, "hosts: <class 'object'> is neither text, number, list nor mapping"),
        ({"managers": -1}, "managers: is -1; it has to be from 0 to 50"),
        ({"vendors": ["del"]}, 'vendors.del: unknown field; did you mean "dell"?'),
        ({"clock": "wall"}, "clock: has to be one of live, virtual, not 'wall'"),
        ({"scope": "package"}, "scope: has to be one of function, class, module, session"),
        ({"seed": 1.5}, "seed: has to be a whole number from 0 to"),
        ({"seed": True}, "seed: has to be a whole number from 0 to"),
        ({"args": {"--leader-elect": "true"}}, 'args: write the flag "--leader-elect" without'),
        ({"args": {"leader-elct": "true"}}, "args: "),
        ({"set": "world.hosts.racks=2"}, "set: has to be a list of texts as in ['world.hosts"),
        ({"set": ["world.hosts.rack=2"]}, 'world.hosts.rack: unknown field; did you mean "racks"'),
        ({"enrol": "yes"}, "enrol: has to be True or False, not 'yes'"),
        ({"invariants": ["single-owners"]}, "invariants: no invariant is called 'single-owners'; "),
        ({"manager_command": []}, "manager_command: has to have 1 to 64 words"),
        ({"manager_command": "./run"}, "manager_command: has to be a list of texts as in"),
        ({"manager_command": ["./nowhere"]}, "manager_command: no program './nowhere' can be run"),
        (
            {"manager_command": [sys.executable], "clock": "virtual"},
            "manager_command: a process of its own lives in wall time",
        ),
    ],
)
def test_each_mistake_names_test_and_field_and_what_is_right(
    fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        settings(fields, PLACE)
    assert f"{PLACE}: {said}" in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        settings({"clock": "wall", "seed": -1, "hots": 2}, PLACE)
    assert len(str(raised.value).splitlines()) == 3
