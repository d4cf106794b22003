"""Single steps of a host's life that worlds seldom reach."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from beskar7.api.resources import PhysicalHost
from beskar7.config import Tuning
from beskar7.controllers.bmc_operations import BootStatus
from beskar7.controllers.bmc_requests import Outcome
from beskar7.controllers.cleaning import CLEAN_TIMEOUT
from beskar7.controllers.environment import Environment
from beskar7.controllers.lifecycle import HostLifecycle
from beskar7.coordination.operations import OperationKind
from beskar7.metrics import Metrics
from beskar7.redfish.port import (
    BmcCredentialsRefused,
    BmcFault,
    BmcUnreachable,
    Inventory,
)
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit

INSPECT, VERIFY = OperationKind.INSPECT, OperationKind.VERIFY
PROVISION, DEPROVISION = OperationKind.PROVISION, OperationKind.DEPROVISION


@pytest.fixture
def lifecycle() -> HostLifecycle:
    events: list[tuple[str, str]] = []
    env = Environment(
        runtime=LiveRuntime(seed=1),
        kube=None,  # type: ignore[arg-type] # a step writes nothing
        recorder=SimpleNamespace(
            event=lambda obj, type, reason, text: events.append((type, reason))
        ),
        metrics=Metrics(),
        tuning=lambda: Tuning(bmc_max_retries=2),
        observe=lambda kind, obj: None,
    )
    requests = SimpleNamespace(
        busy=lambda host, kind=None: False,
        credentials_problem=lambda host: None,
        credentials_version=lambda host: "7",
        running_since=lambda host: None,
        revoke=lambda host: True,
    )
    made = HostLifecycle(env, requests, 900.0)  # type: ignore[arg-type] # as much as a step asks
    made.events = events  # type: ignore[attr-defined] # for the assertions
    return made


def host(state: str, *, owner: str = "", boot: bool = False, deleting: bool = False):
    raw = {
        "metadata": {"name": "h", "namespace": "default", "finalizers": []},
        "spec": {"bootIsoSource": "http://images.lab/a.iso"},
        "status": {"state": state},
    }
    if owner:
        raw["spec"]["consumerRef"] = {"uid": owner, "name": "m", "namespace": "default"}
    if boot:
        raw["status"]["boot"] = {"image": "x", "consumerUID": owner or "former"}
    if deleting:
        raw["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        raw["metadata"]["finalizers"] = ["physicalhost.infrastructure.cluster.x-k8s.io"]
    return PhysicalHost(raw)


def outcome(kind, *, owner: str = "", result=None, error=None, attempt: int = 1, waited: float = 0):
    return Outcome(kind, owner, result, error, attempt, waited)


def test_the_former_owners_operation_is_not_taken_for_the_clean_up(lifecycle):
    ended = outcome(VERIFY, owner="former", result=BootStatus(True, "On", "OSRunning"))
    step = lifecycle.next_step(host("Deprovisioning", boot=True), ended)
    assert step.operation is DEPROVISION


def test_clean_is_what_the_bmc_shows_not_what_it_accepted(lifecycle):
    dirty = host("Deprovisioning", boot=True)
    assert lifecycle.next_step(dirty, outcome(DEPROVISION)).operation is VERIFY
    assert dirty.state == "Deprovisioning"
    assert lifecycle.next_step(dirty, outcome(VERIFY, result=False)).operation is VERIFY
    late = outcome(VERIFY, result=False, waited=CLEAN_TIMEOUT)
    again = lifecycle.next_step(dirty, late)
    assert (again.operation, again.attempt) == (DEPROVISION, 2)
    assert lifecycle.next_step(dirty, outcome(VERIFY, result=True)).operation is None
    assert dirty.state == "Available"
    assert "boot" not in dirty.status


def test_a_bmc_that_never_gets_clean_ends_in_error_and_is_tried_again(lifecycle):
    dirty = host("Deprovisioning", boot=True)
    step = lifecycle.next_step(
        dirty, outcome(VERIFY, result=False, waited=CLEAN_TIMEOUT, attempt=3)
    )
    assert dirty.state == "Error"
    assert step.look_again is not None
    assert ("Warning", "ProvisioningFailed") in lifecycle.events


def test_a_deleted_host_whose_bmc_is_dead_is_let_go_with_a_warning(lifecycle):
    gone = host("Deprovisioning", boot=True, deleting=True)
    dead = outcome(DEPROVISION, error=BmcUnreachable("dead"), attempt=3)
    assert lifecycle.next_step(gone, dead).let_go
    assert ("Warning", "CleanupSkipped") in lifecycle.events


def test_retries_are_counted_and_credentials_are_not_retried_at_once(lifecycle):
    busy = host("Provisioning", owner="m", boot=True)
    first = lifecycle.next_step(busy, outcome(PROVISION, owner="m", error=BmcFault("500")))
    assert (first.operation, first.attempt, first.resumed) == (PROVISION, 2, True)
    assert first.delay > 0
    refused = lifecycle.next_step(
        busy, outcome(PROVISION, owner="m", error=BmcCredentialsRefused("401"))
    )
    assert refused.operation is None
    assert busy.state == "Error"
    assert refused.look_again >= 200, "BMCs lock accounts"


@pytest.mark.parametrize(
    ("owner", "boot", "expected"),
    [("m", True, "Claimed"), ("", True, "Deprovisioning"), ("", False, "Enrolling")],
)
def test_a_bmc_that_answers_again_takes_its_host_up_where_it_was(lifecycle, owner, boot, expected):
    found = Inventory("Dell Inc.", "R750", "S", 32, 128, "OK", "OK", "Enabled", "Off")
    failed = host("Error", owner=owner, boot=boot)
    lifecycle.next_step(failed, outcome(INSPECT, owner=owner, result=found))
    assert failed.state == expected


@pytest.mark.parametrize("word", ["Ready", "provisioned", "Unknown"])
def test_a_state_that_is_none_is_enrolled_anew(lifecycle, word):
    odd = host(word)
    assert lifecycle.next_step(odd, None).operation is INSPECT
    assert odd.state == "Enrolling"
