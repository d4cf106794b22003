"""A fault: what goes wrong, and that all is well once it is over."""

import pytest

pytestmark = pytest.mark.beskar7(clock="virtual", hosts=8, racks=2, seed=5)


def rack_of(host):
    return host.object()["metadata"]["labels"]["topology.kubernetes.io/zone"]


def test_a_rack_that_answers_with_errors_costs_the_other_nothing(lab, faults, fleet):
    with faults.during("error", racks="rack-1", status=503):
        machines = lab.create_machines(8)
        lab.wait_until(*(machine.claimed for machine in machines))
        well = [machine for machine in machines if rack_of(machine.host) == "rack-2"]
        waited = lab.wait_until(*(machine.provisioned for machine in well))
        assert waited < 30
        ill = [machine for machine in machines if machine not in well]
        assert not any(lab.holds(machine.provisioned) for machine in ill)
        assert any(request.fault for request in fleet.requests())

    lab.wait_until(*(machine.provisioned for machine in machines), timeout=600)
