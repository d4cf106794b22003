"""State edges, clean release and proven boots: logs that hold, and logs that break them."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.engine.evidence import FaultWindow
from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.states import (
    legal_state_edges,
    provisioned_means_booted,
    released_clean,
)

pytestmark = pytest.mark.unit
RULES = Rules()
IMAGE = "http://images.example/kairos.iso"


def test_the_usual_way_of_a_host_is_legal(logs: Any) -> None:
    for time, state in enumerate(
        (
            *("", "Enrolling", "Available", "Available", "Claimed", "Provisioning"),
            *("Provisioned", "Deprovisioning", "Available"),
        )
    ):
        logs.host(float(time), "h1", state=state)
    judged = legal_state_edges(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 7


@pytest.mark.parametrize(
    "edge", [("", "Available"), ("Available", "Provisioned"), ("Provisioned", "Available")]
)
def test_a_leap_is_named_with_its_writer(logs: Any, edge: tuple[str, str]) -> None:
    logs.host(0.0, "h1", state="")
    logs.writes.clear()
    logs.host(1.0, "h1", state=edge[0])
    leap = logs.host(2.0, "h1", state=edge[1], client="beskar7-manager/b")
    violations = legal_state_edges(logs.evidence(), RULES).violations
    violation = violations[-1]
    assert f"-> {edge[1]} by beskar7-manager/b" in violation.detail
    assert (violation.host, violation.time, violation.writes[-1]) == ("h1", 2.0, leap.seq)


def released(logs: Any) -> None:
    logs.claimed()
    logs.event("h1", 1.1, "media-inserted", IMAGE)
    logs.event("h1", 1.2, "power-on")
    logs.host(5.0, "h1", owner="", state="Deprovisioning")


def test_a_clean_host_may_be_available_again(logs: Any) -> None:
    released(logs)
    logs.event("h1", 6.0, "power-off")
    logs.event("h1", 6.1, "media-ejected")
    logs.host(7.0, "h1", state="Available")
    judged = released_clean(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 1


def test_a_host_that_is_cleaned_only_afterwards_breaks_it_twice(logs: Any) -> None:
    released(logs)
    available = logs.host(7.0, "h1", state="Available")
    logs.event("h1", 8.0, "power-off")
    logs.event("h1", 8.1, "media-ejected")
    violations = released_clean(logs.evidence(), RULES).violations
    assert [violation.writes for violation in violations] == [(available.seq,)] * 2
    assert "powered on" in violations[0].detail
    assert IMAGE in violations[1].detail
    assert {violation.machine for violation in violations} == {"m1"}


def test_what_a_fault_did_by_itself_is_not_held_against_the_controller(logs: Any) -> None:
    released(logs)
    logs.event("h1", 6.0, "power-off")
    logs.event("h1", 6.1, "media-ejected")
    logs.event("h1", 6.8, "power-on", fault="late")
    logs.event("h1", 6.9, "media-inserted", IMAGE, fault="late")
    logs.host(7.0, "h1", state="Available")
    assert released_clean(logs.evidence(), RULES).violations == []


@pytest.mark.parametrize(("kind", "held"), [("stale-power", True), ("drip", False)])
@pytest.mark.parametrize("bug", [True, False])
def test_what_a_fault_hid_is_not_either(logs: Any, kind: str, held: bool, bug: bool) -> None:
    symptoms = {"kind": "firmware-bug", "symptoms": [{"kind": "html"}, {"kind": kind}]}
    fault = {"id": "f", **(symptoms if bug else {"kind": kind})}
    logs.faults = [FaultWindow(fault, 0.0, None)]
    released(logs)
    logs.event("h1", 6.1, "media-ejected")
    logs.request("h1", 6.5, 6.6, "", fault="f#2" if bug else "f")
    logs.host(7.0, "h1", state="Available")
    assert (released_clean(logs.evidence(), RULES).violations == []) == held


def test_a_lie_about_an_earlier_release_excuses_nothing(logs: Any) -> None:
    logs.faults = [FaultWindow({"id": "f", "kind": "stale-power"}, 0.0, None)]
    released(logs)
    logs.event("h1", 6.1, "media-ejected")
    logs.request("h1", 4.5, 4.6, "", fault="f")
    logs.host(7.0, "h1", state="Available")
    assert len(released_clean(logs.evidence(), RULES).violations) == 1


def test_a_host_that_never_had_an_owner_is_not_judged(logs: Any) -> None:
    logs.event("h1", 0.0, "power-on")
    logs.host(1.0, "h1", state="Enrolling")
    logs.host(2.0, "h1", state="Available")
    assert released_clean(logs.evidence(), RULES).cases == 0


def booted(logs: Any, detail: str = f"Cd:{IMAGE}", at: float = 3.0) -> None:
    logs.claimed()
    logs.event("h1", at, "boot-finished", detail)
    logs.host(4.0, "h1", state="Provisioned")
    logs.machine(4.1, "m1", phase="Provisioned")


def test_a_boot_of_the_machines_image_proves_it(logs: Any) -> None:
    booted(logs)
    judged = provisioned_means_booted(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 2


@pytest.mark.parametrize(
    ("detail", "at", "says"),
    [
        ("Hdd:", 3.0, "last boot was Hdd:"),
        ("Cd:http://other/image.iso", 3.0, "last boot was Cd:http://other"),
        (f"Cd:{IMAGE}", 0.5, "did not boot since its claim"),
        (f"Cd:{IMAGE}", 5.0, "did not boot since its claim"),
    ],
)
def test_anything_else_does_not(logs: Any, detail: str, at: float, says: str) -> None:
    booted(logs, detail, at)
    violations = provisioned_means_booted(logs.evidence(), RULES).violations
    assert [violation.time for violation in violations] == [4.0, 4.1]
    assert all(says in violation.detail for violation in violations)
    assert {(v.host, v.machine) for v in violations} == {("h1", "m1")}


REMOTE = {"osFamily": "flatcar", "configURL": "http://c/a.yaml"}
ARGUMENTS = "flatcar.ignition.config.url=http://c/a.yaml"


@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        (REMOTE, f"Cd:{IMAGE} -- {ARGUMENTS}"),
        ({"provisioningMode": "PXE"}, "Pxe:"),
        ({"provisioningMode": "iPXE", "bootMode": "UEFI"}, "Pxe:"),
        ({"bootMode": "Legacy"}, f"Cd:{IMAGE} mode=Legacy"),
        (REMOTE | {"bootMode": "Legacy"}, f"Cd:{IMAGE} mode=Legacy -- {ARGUMENTS}"),
    ],
)
def test_image_arguments_and_mode_have_to_be_as_asked(logs, spec, detail) -> None:
    logs.machine(0.0, "m1", spec=spec)
    booted(logs, detail)
    assert provisioned_means_booted(logs.evidence(), RULES).violations == []


@pytest.mark.upstream("U10")
@pytest.mark.parametrize(
    ("spec", "detail"),
    [
        (REMOTE, f"Cd:{IMAGE}"),
        (REMOTE, f"Cd:{IMAGE} -- config_url=http://c/a.yaml"),
        ({}, f"Cd:{IMAGE} -- {ARGUMENTS}"),
        ({"provisioningMode": "PXE"}, f"Cd:{IMAGE}"),
        ({"bootMode": "Legacy"}, f"Cd:{IMAGE}"),
        ({}, f"Cd:{IMAGE} mode=Legacy"),
    ],
)
def test_lost_arguments_and_another_mode_break_it(logs, spec, detail) -> None:
    logs.machine(0.0, "m1", spec=spec)
    booted(logs, detail)
    assert len(provisioned_means_booted(logs.evidence(), RULES).violations) == 2


def test_a_boot_that_a_fault_led_astray_cannot_be_known(logs: Any) -> None:
    logs.claimed()
    logs.event("h1", 3.0, "boot-finished", "Hdd:", fault="f")
    logs.host(4.0, "h1", state="Provisioned")
    assert provisioned_means_booted(logs.evidence(), RULES).violations == []
    logs.event("h1", 3.5, "boot-finished", "Hdd:")
    assert len(provisioned_means_booted(logs.evidence(), RULES).violations) == 1


def test_a_machine_without_a_host_is_not_provisioned(logs: Any) -> None:
    logs.machine(0.0, "m1")
    logs.machine(1.0, "m1", phase="Provisioned")
    (violation,) = provisioned_means_booted(logs.evidence(), RULES).violations
    assert "without owning a host" in violation.detail
