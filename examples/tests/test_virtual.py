"""In virtual time: as much as you like of what would take hours, the same run for a seed."""

import pytest


@pytest.mark.beskar7(
    clock="virtual",
    hosts=50,
    managers=3,
    vendors=["dell", "hpe", "lenovo", "supermicro"],
    seed=3,
)
def test_a_monday_morning(lab, faults, managers):
    faults.add("hang", hosts=["host-007", "host-042"], duration="10m")
    machines = lab.create_machines(30)
    lab.wait_until(*(machine.claimed for machine in machines[:10]))
    managers.kill("leader")

    lab.wait_until(*(machine.provisioned for machine in machines), timeout=3600)

    assert len({machine.host for machine in machines}) == 30
