"""Deliberately broken: what a failure shows of its cause. No part of the green run."""

import pytest


@pytest.mark.beskar7(clock="virtual", hosts=2, seed=4)
def test_both_machines_get_a_host(lab, faults):
    # The cause: its BMC refuses the credentials, for good.
    faults.add("error", hosts="host-002", status=401)
    machines = lab.create_machines(2)
    lab.wait_until(*(machine.provisioned for machine in machines), timeout=60)
