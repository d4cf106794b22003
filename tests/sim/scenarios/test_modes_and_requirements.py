"""The scenarios of boot modes and of requirements: held for several seeds, and able to fail."""

from __future__ import annotations

from collections import Counter

import pytest

from beskar7.controllers import boot
from beskar7.coordination.requirements import Requirements
from scenarios.engine.history import dig
from scenarios.engine.invariants.states import wanted_boot

pytestmark = pytest.mark.sim
SEEDS = (1, 2, 3)


def verdicts(result) -> dict[str, str]:
    return {item.name: item.verdict for item in result.invariants}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_mode_family_and_firmware_is_provisioned(play, seed):
    result = play("boot-modes", seed=seed)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    specs = [
        track.versions[0].object["spec"] for track in result.evidence.history.machines.values()
    ]
    modes = {spec.get("provisioningMode") for spec in specs}
    assert modes == {"PreBakedISO", "RemoteConfig", "PXE", "iPXE"}
    assert {spec["osFamily"] for spec in specs} == {"kairos", "flatcar", "LeapMicro"}
    assert {spec.get("bootMode") for spec in specs} == {"UEFI", "Legacy"}
    booted = Counter(e.detail for e in result.evidence.events if e.type == "boot-finished")
    for spec in specs:
        assert booted[str(wanted_boot(spec))] > 0, spec


def test_a_controller_that_loses_the_parameters_is_found_out(play, monkeypatch):
    monkeypatch.setitem(boot.CONFIG_PARAMETERS, "flatcar", "ignition")
    result = play("boot-modes")
    assert verdicts(result)["provisioned-means-booted"] == "violated"


def hosts_of(result) -> dict[str, str]:
    return {o.owner_name: o.host for o in result.evidence.history.ownerships()}


@pytest.mark.parametrize("seed", SEEDS)
def test_machines_get_the_hosts_that_they_need_and_leave_the_others(play, seed):
    result = play("requirements", seed=seed)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    hosts = hosts_of(result)
    assert {hosts["machine-003"], hosts["machine-005"]} == {"host-001", "host-002"}
    # All three of tier gold with nvme do equally well; the least capable is taken.
    assert hosts["machine-002"] == "host-003"
    assert {hosts["machine-004"], hosts["machine-007"]} == {"host-004", "host-005"}
    plain = {"host-006", "host-007", "host-008"}
    assert {hosts["machine-001"], hosts["machine-008"]} < plain
    waiting = next(t for t in result.evidence.history.machines.values() if t.name == "machine-006")
    conditions = dig(waiting.last, "status", "conditions")
    said = next(c for c in conditions if c["type"] == "PhysicalHostAssociated")
    assert said["reason"] == "NoMatchingHost"
    assert "tag fpga excludes 8" in said["message"]


def test_a_controller_that_overlooks_requirements_is_found_out(play, monkeypatch):
    monkeypatch.setattr(Requirements, "met", lambda self, host: True)
    assert verdicts(play("requirements"))["requirements-met"] == "violated"
