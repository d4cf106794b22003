"""From a wish and a host to a boot plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.resources import (
    BOOT_MECHANISM_ANNOTATION,
    KERNEL_ARG_ATTRIBUTE_ANNOTATION,
    Beskar7Machine,
    PhysicalHost,
)
from beskar7.controllers.boot import BootImpossible, BootPlan

pytestmark = pytest.mark.unit

IMAGE, CONFIG = "http://i.lab/a.iso", "http://c.lab/a.yaml"


def host(vendor: str = "Dell Inc.", annotations: dict[str, str] | None = None, **spec: Any):
    wanted = {"imageURL": IMAGE, "osFamily": "kairos", "bootMode": "UEFI"} | spec
    machine = Beskar7Machine({"metadata": {"name": "m", "uid": "u"}, "spec": wanted})
    found = PhysicalHost(
        {
            "metadata": {"name": "h", "annotations": annotations or {}},
            "spec": {},
            "status": {"hardwareDetails": {"manufacturer": vendor}},
        }
    )
    found.claim(machine, "2026-01-01T00:00:00Z")
    return found


@pytest.mark.parametrize(
    ("vendor", "mechanism", "attribute"),
    [
        ("Dell Inc.", "bios-attribute", "KernelArgs"),
        ("Supermicro", "bios-attribute", "BootArgs"),
        ("HPE", "uefi-target", ""),
        ("Lenovo", "uefi-target", ""),
        ("Contoso", "uefi-target", ""),
        ("", "uefi-target", ""),
    ],
)
def test_each_vendor_has_its_way(vendor, mechanism, attribute):
    plan = BootPlan.of(host(vendor, configURL=CONFIG))
    assert (plan.mechanism, plan.attribute) == (mechanism, attribute)
    assert plan.parameters == f"config_url={CONFIG}"
    assert plan.image == IMAGE


def test_an_iso_needs_no_mechanism_and_a_network_boot_no_image():
    assert BootPlan.of(host()) == BootPlan("PreBakedISO", IMAGE, firmware="UEFI")
    assert BootPlan.of(host(provisioningMode="iPXE")) == BootPlan("iPXE", "", firmware="UEFI")


@pytest.mark.upstream("U23")
def test_annotations_win_over_the_vendor():
    named = {BOOT_MECHANISM_ANNOTATION: "bios-attribute", KERNEL_ARG_ATTRIBUTE_ANNOTATION: "Args"}
    assert BootPlan.of(host("HPE", named, configURL=CONFIG)).attribute == "Args"
    only = {KERNEL_ARG_ATTRIBUTE_ANNOTATION: "Args"}
    assert BootPlan.of(host("HPE", only, configURL=CONFIG)).mechanism == "bios-attribute"


@pytest.mark.parametrize(
    ("annotations", "more", "said"),
    [
        ({BOOT_MECHANISM_ANNOTATION: "magic"}, {}, "'magic' is none of uefi-target, bios-"),
        ({BOOT_MECHANISM_ANNOTATION: "boot-options"}, {}, "use uefi-target or bios-attribute"),
        ({BOOT_MECHANISM_ANNOTATION: "unsupported"}, {}, "use uefi-target or bios-attribute"),
        ({BOOT_MECHANISM_ANNOTATION: "bios-attribute"}, {}, KERNEL_ARG_ATTRIBUTE_ANNOTATION),
        ({}, {"bootMode": "Legacy"}, "needs bootMode UEFI"),
        ({}, {"osFamily": "plan9"}, "osFamily"),
    ],
)
def test_what_cannot_be_says_what_would_be_right(annotations, more, said):
    with pytest.raises(BootImpossible) as failure:
        BootPlan.of(host("HPE", annotations, configURL=CONFIG, **more))
    assert said in str(failure.value)
    assert not failure.value.transient


words = st.text(max_size=20)


@given(st.builds(BootPlan, st.sampled_from(["RemoteConfig", "PXE"]), *[words] * 5))
def test_a_plan_survives_the_status(plan):
    assert BootPlan.from_status(plan.to_status()) == plan


def test_release_clears_the_wish():
    claimed = host(configURL=CONFIG)
    assert claimed.spec["boot"]["configURL"] == CONFIG
    claimed.release("2026-01-01T00:00:00Z")
    assert claimed.spec == {}


@pytest.mark.parametrize("url", ["http://c.lab/a b.yaml", "http://c.lab/\n.yaml", "http://c/\x00"])
def test_a_url_that_would_add_kernel_parameters_is_refused(url):
    machine = Beskar7Machine({"spec": {"imageURL": IMAGE, "configURL": url}})
    assert machine.boot_problem is not None
    assert "%20" in machine.boot_problem[1]
