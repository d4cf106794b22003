"""Admission in the lab's API: where in a write it happens, and for which writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import BadRequest, Forbidden, Invalid
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    CRD,
    NAMESPACE,
    PHYSICAL_HOST,
)
from emulator.kube.admission import install
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store

pytestmark = pytest.mark.unit

SPEC = {"imageURL": "http://images/a.iso", "osFamily": "kairos"}


@pytest.fixture
def guarded(store: Store) -> Store:
    return install(store)


def machine(name: str = "m1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": "Beskar7Machine",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**SPEC, **spec},
    }


def template(name: str = "x") -> dict[str, Any]:
    return {
        "apiVersion": BESKAR7_MACHINE_TEMPLATE.api_version,
        "kind": "Beskar7MachineTemplate",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": SPEC}},
    }


def cloned(store: Store) -> None:
    """A machine made from template x, and the template."""
    store.create(BESKAR7_MACHINE_TEMPLATE, template())
    made = machine()
    made["metadata"]["annotations"] = {
        "cluster.x-k8s.io/cloned-from-name": "x",
        "cluster.x-k8s.io/cloned-from-groupkind": (
            "Beskar7MachineTemplate.infrastructure.cluster.x-k8s.io"
        ),
    }
    store.create(BESKAR7_MACHINE, made)


@pytest.mark.upstream("U33")
def test_a_minimal_machine_is_taken_and_completed(guarded: Store) -> None:
    made = guarded.create(BESKAR7_MACHINE, machine()).obj
    assert made["spec"] == {**SPEC, "provisioningMode": "PreBakedISO", "bootMode": "UEFI"}


def test_the_order_is_default_schema_validate(guarded: Store, host: Callable[..., Any]) -> None:
    short = host("short")
    short["spec"]["redfishConnection"]["address"] = "127.0.0.9:8000"  # the schema wants a scheme
    made = guarded.create(PHYSICAL_HOST, short).obj
    assert made["spec"]["redfishConnection"]["address"] == "https://127.0.0.9:8000"
    with pytest.raises(Invalid) as error:  # wrong for both: the schema speaks first
        guarded.create(BESKAR7_MACHINE, machine(imageURL="gopher:///x", osFamily="dos"))
    assert "admission webhook" not in error.value.message


@pytest.mark.parametrize("form", ["merge", "json", "apply"])
def test_every_way_to_write_is_judged(guarded: Store, form: str) -> None:
    guarded.create(BESKAR7_MACHINE, machine())
    wrong = {"provisioningMode": "RemoteConfig"}
    patch: Any = {"spec": wrong}
    if form == "json":
        patch = [{"op": "replace", "path": "/spec/provisioningMode", "value": "RemoteConfig"}]
    if form == "apply":
        patch = machine(**wrong)
    call = Call(client="kubectl/1", field_manager="me", force=True)
    with pytest.raises(Invalid, match="denied the request") as error:
        guarded.patch(BESKAR7_MACHINE, "default", "m1", patch, form, call=call)
    assert error.value.details["causes"][0]["field"] == "spec.configURL"
    assert error.value.details["kind"] == "Beskar7Machine"


def test_a_server_side_apply_creates_judged_and_completed(guarded: Store) -> None:
    call = Call(client="kubectl/1", field_manager="me")
    made = guarded.patch(BESKAR7_MACHINE, "default", "m1", machine(), "apply", call=call).obj
    assert made["spec"]["provisioningMode"] == "PreBakedISO"
    other = Call(client="kubectl/1", field_manager="other")
    wrong = machine("m2", imageURL="http:///a.iso")
    with pytest.raises(Invalid, match="denied the request"):
        guarded.patch(BESKAR7_MACHINE, "default", "m2", wrong, "apply", call=other)


@pytest.mark.parametrize("form", ["create", "apply"])
def test_nobody_owns_what_a_default_gave(guarded: Store, form: str) -> None:
    """So that a later manager may set it without a conflict."""
    call = Call(client="kubectl/1", field_manager="me")
    if form == "create":
        made = guarded.create(BESKAR7_MACHINE, machine(), call=call)
    else:
        made = guarded.patch(BESKAR7_MACHINE, "default", "m1", machine(), "apply", call=call)
    (entry,) = made.obj["metadata"]["managedFields"]
    assert "f:imageURL" in entry["fieldsV1"]["f:spec"]
    assert "f:provisioningMode" not in entry["fieldsV1"]["f:spec"]
    config = machine(provisioningMode="RemoteConfig", configURL="http://c/a.yaml")
    other = Call(client="kubectl/1", field_manager="other")
    changed = guarded.patch(BESKAR7_MACHINE, "default", "m1", config, "apply", call=other).obj
    assert changed["spec"]["provisioningMode"] == "RemoteConfig"


class Never:
    """Webhooks that must not be asked."""

    def mutate(self, obj: Any) -> Any:
        raise AssertionError("asked to mutate")

    def validate(self, new: Any, old: Any, call: Any) -> None:
        raise AssertionError("asked to validate")


def test_status_is_not_judged(store: Store) -> None:
    made = store.create(BESKAR7_MACHINE, machine()).copy()
    store.webhooks[BESKAR7_MACHINE] = Never()
    made["status"] = {"phase": "Pending"}
    assert store.update_status(BESKAR7_MACHINE, made).obj["status"] == {"phase": "Pending"}
    with pytest.raises(AssertionError, match="asked to mutate"):
        store.update(BESKAR7_MACHINE, store.get(BESKAR7_MACHINE, "default", "m1").copy())


def test_a_dry_run_is_judged_and_leaves_nothing(guarded: Store) -> None:
    call = Call(dry_run=True)
    shown = guarded.create(BESKAR7_MACHINE, machine(), call=call).obj
    assert shown["spec"]["provisioningMode"] == "PreBakedISO"
    assert not guarded.exists(BESKAR7_MACHINE, "default", "m1")
    with pytest.raises(Invalid, match="denied the request"):
        guarded.create(BESKAR7_MACHINE, machine(imageURL="http:///a.iso"), call=call)


def test_deleting_a_template_in_use_is_refused_until_its_machines_go(guarded: Store) -> None:
    cloned(guarded)
    with pytest.raises(Forbidden) as error:
        guarded.delete(BESKAR7_MACHINE_TEMPLATE, "default", "x")
    assert error.value.message == (
        'admission webhook "validation.beskar7machinetemplate.infrastructure.cluster.x-k8s.io" '
        "denied the request: beskar7machinetemplates.infrastructure.cluster.x-k8s.io "
        '"x" is forbidden: in use by Beskar7Machine m1'
    )
    guarded.delete(BESKAR7_MACHINE, "default", "m1")
    guarded.delete(BESKAR7_MACHINE_TEMPLATE, "default", "x")


@pytest.mark.parametrize("what", ["namespace", "definition"])
def test_what_goes_as_a_whole_is_not_held_up(guarded: Store, what: str) -> None:
    cloned(guarded)
    if what == "namespace":
        guarded.delete(NAMESPACE, None, "default")
    else:
        guarded.delete(CRD, None, BESKAR7_MACHINE_TEMPLATE.qualified)
        assert not guarded.exists(CRD, None, BESKAR7_MACHINE_TEMPLATE.qualified)
    assert not guarded.exists(BESKAR7_MACHINE_TEMPLATE, "default", "x")


def test_warnings_come_with_answers_and_refusals(guarded: Store, host: Callable[..., Any]) -> None:
    call = Call()
    guarded.create(PHYSICAL_HOST, host("h1"), call=call)
    assert ['Secret "bmc" does not exist' in warning for warning in call.warnings] == [True]
    bad = host("h2")
    bad["spec"]["bootIsoSource"] = "http://images/a.iso"
    with pytest.raises(Invalid) as error:
        guarded.create(PHYSICAL_HOST, bad, call=Call())
    assert ['Secret "bmc" does not exist' in warning for warning in error.value.warnings] == [True]


def test_a_refusal_is_in_the_write_log(guarded: Store) -> None:
    with pytest.raises(Invalid):
        guarded.create(BESKAR7_MACHINE, machine(imageURL="http:///a.iso"))
    last = guarded.log.records(0)[-1]
    assert (last.verb, last.outcome, last.name) == ("create", "Invalid", "m1")


def test_a_broken_body_is_refused_as_ever(guarded: Store) -> None:
    with pytest.raises(BadRequest):
        guarded.create(BESKAR7_MACHINE, {**machine(), "metadata": []})
    with pytest.raises(Invalid):
        guarded.create(BESKAR7_MACHINE, {**machine(), "spec": "none"})
