"""The controller on real sockets: enrol, provision, release; and what it says when it cannot."""

from __future__ import annotations

import base64
import copy

import pytest

from beskar7.api.errors import Invalid
from beskar7.api.kinds import BESKAR7_MACHINE, EVENT, PHYSICAL_HOST, SECRET
from scenarios.engine.expand import CREDENTIALS_SECRET

pytestmark = pytest.mark.e2e

IMAGE = "http://images.lab/kairos.iso"


def state(obj) -> str:
    return obj.get("status", {}).get("state", "")


def machine(name: str) -> dict:
    return {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": BESKAR7_MACHINE.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"imageURL": IMAGE, "osFamily": "kairos"},
    }


def host(world, name: str, *, address: str, secret: str) -> dict:
    raw = copy.deepcopy(world.kube.get(PHYSICAL_HOST, "default", "host-001"))
    return {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "redfishConnection": {
                **raw["spec"]["redfishConnection"],
                "address": address,
                "credentialsSecretRef": secret,
            }
        },
    }


def test_a_machine_gets_a_host_that_boots_its_image_and_gives_it_back_clean(world, waiter):
    found = waiter.until(PHYSICAL_HOST, "host-001", lambda obj: state(obj) == "Available")
    assert found["status"]["hardwareDetails"]["cpuCores"] == 32
    assert found["status"]["addresses"]
    world.kube.create(BESKAR7_MACHINE, machine("one"))
    ready = waiter.until(
        BESKAR7_MACHINE, "one", lambda obj: obj.get("status", {}).get("phase") == "Provisioned"
    )
    name = ready["status"]["hostRef"]["name"]
    assert ready["spec"]["providerID"] == f"b7://default/{name}"
    assert ready["status"]["ready"] is True
    assert ready["status"]["addresses"]
    _, events = world.bmc_log(0, 0)
    assert [e.detail for e in events if e.host == name and e.type == "boot-finished"] == [
        f"Cd:{IMAGE}"
    ]
    world.kube.delete(BESKAR7_MACHINE, "default", "one")
    waiter.until(BESKAR7_MACHINE, "one", lambda obj: not obj)
    free = waiter.until(PHYSICAL_HOST, name, lambda obj: state(obj) == "Available")
    assert "consumerRef" not in free["spec"]
    machine_state = world.lab.fleet.state()[name]
    assert machine_state["power"] == "Off", machine_state
    assert not machine_state["media"], machine_state


def test_a_missing_secret_is_named_and_its_arrival_heals(world, waiter):
    address = world.lab.addresses["host-002"]
    world.kube.create(PHYSICAL_HOST, host(world, "no-secret", address=address, secret="not-there"))
    stuck = waiter.until(
        PHYSICAL_HOST, "no-secret", lambda obj: obj.get("status", {}).get("errorMessage")
    )
    assert stuck["status"]["errorMessage"] == "Secret default/not-there does not exist"
    world.kube.create(SECRET, world.lab.credentials_secret("default", "not-there"))
    healed = waiter.until(PHYSICAL_HOST, "no-secret", lambda obj: state(obj) == "Available")
    assert "errorMessage" not in healed["status"]
    world.kube.delete(PHYSICAL_HOST, "default", "no-secret")
    waiter.until(PHYSICAL_HOST, "no-secret", lambda obj: not obj)


def test_a_wrong_password_is_named_without_showing_it_and_rotation_heals(world, waiter):
    wrong = world.lab.credentials_secret("default", "wrong")
    right = wrong["data"]["password"]
    wrong["data"]["password"] = base64.b64encode(b"not-the-password").decode()
    world.kube.create(SECRET, wrong)
    address = world.lab.addresses["host-003"]
    world.kube.create(PHYSICAL_HOST, host(world, "locked-out", address=address, secret="wrong"))
    refused = waiter.until(PHYSICAL_HOST, "locked-out", lambda obj: state(obj) == "Error")
    assert "refused the credentials" in refused["status"]["errorMessage"]
    assert "not-the-password" not in str(refused)
    world.kube.patch(SECRET, "default", "wrong", {"data": {"password": right}})
    waiter.until(PHYSICAL_HOST, "locked-out", lambda obj: state(obj) == "Available")


def test_an_unreachable_bmc_is_an_error_with_a_reason_and_an_event(world, waiter):
    world.kube.create(
        PHYSICAL_HOST,
        host(world, "gone", address="http://127.99.0.1:9", secret=CREDENTIALS_SECRET),
    )
    failed = waiter.until(PHYSICAL_HOST, "gone", lambda obj: state(obj) == "Error")
    assert failed["status"]["errorMessage"] == "http://127.99.0.1:9: connection refused"
    condition = next(
        item for item in failed["status"]["conditions"] if item["type"] == "RedfishConnectionReady"
    )
    assert (condition["status"], condition["reason"]) == ("False", "RedfishConnectionFailed")
    listed = world.kube.list(
        EVENT, "default", field_selector="involvedObject.name=gone,type=Warning"
    )
    if not listed.items:
        watch = world.kube.watch(
            EVENT,
            "default",
            resource_version=listed.resource_version,
            timeout=10,
            field_selector="involvedObject.name=gone,type=Warning",
        )
        assert next(watch).object["reason"] == "RedfishConnectionFailed"
    world.kube.delete(PHYSICAL_HOST, "default", "gone")
    waiter.until(PHYSICAL_HOST, "gone", lambda obj: not obj)


def test_a_boot_that_cannot_be_is_refused_with_what_is_missing(world):
    wanted = machine("remote")
    wanted["spec"]["provisioningMode"] = "RemoteConfig"
    with pytest.raises(Invalid, match=r"spec\.configURL"):
        world.kube.create(BESKAR7_MACHINE, wanted)


def test_metrics_have_the_names_of_the_guide(world, waiter):
    world.kube.create(BESKAR7_MACHINE, machine("measured"))
    waiter.until(
        BESKAR7_MACHINE, "measured", lambda obj: obj.get("status", {}).get("phase") == "Provisioned"
    )
    (text,) = world.manager_metrics().values()
    for name in (
        'beskar7_host_claim_attempts_total{conflict_reason="none",namespace="default",outcome="success"}',
        "beskar7_host_claim_duration_seconds_bucket",
        "beskar7_provisioning_queue_length",
        "beskar7_bmc_operation_duration_seconds_bucket",
        'beskar7_controller_physicalhost_states_total{namespace="default",state="Provisioned"}',
    ):
        assert name in text, name
    world.kube.delete(BESKAR7_MACHINE, "default", "measured")
    waiter.until(BESKAR7_MACHINE, "measured", lambda obj: not obj)


def test_no_secret_reaches_the_logs(world):
    password = base64.b64decode(world.lab.credentials_secret("default", "x")["data"]["password"])
    token = (world.lab.directory / "token").read_text().strip()
    logs = list(world.lab.directory.glob("*.log"))
    assert logs
    for log in logs:
        text = log.read_bytes()
        assert password not in text, log.name
        assert token.encode() not in text, log.name
        assert b"Traceback" not in text, log.read_text()
