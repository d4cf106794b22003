"""The BMC operations, interrupted at every request and repeated, end in the wanted state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from beskar7.controllers import bmc_operations
from beskar7.controllers.boot import BootPlan
from beskar7.redfish.port import (
    BiosAttribute,
    BmcBusy,
    BmcFault,
    BmcRequestRefused,
    BmcUnreachable,
    BootOverride,
    SystemState,
)

pytestmark = pytest.mark.unit

IMAGE = "http://images.lab/new.iso"
PARAMETERS = "config_url=http://config.lab/a.yaml"
ISO = BootPlan("PreBakedISO", IMAGE)
PLANS = {
    "iso": ISO,
    "uefi-target": BootPlan("RemoteConfig", IMAGE, PARAMETERS, "uefi-target"),
    "bios-attribute": BootPlan(
        "RemoteConfig", IMAGE, PARAMETERS, "bios-attribute", attribute="KernelArgs"
    ),
    "boot-options": BootPlan("PreBakedISO", IMAGE, mechanism="boot-options"),
}


@dataclass
class FakeBmc:
    """A BMC with just enough memory; ``fail_at`` loses the connection at that call.

    ``lost_answer``: the failing call takes effect, and only its answer is lost.
    """

    power_state: str = "Off"
    override: str = "Disabled"
    target: str = "Hdd"
    image: str = ""
    progress: str = "OSRunning"
    path: str = ""
    option: str = ""
    current: dict[str, str] = field(default_factory=lambda: {"KernelArgs": ""})
    future: dict[str, str] = field(default_factory=lambda: {"KernelArgs": ""})
    fail_at: int = -1
    lost_answer: bool = False
    calls: list[str] = field(default_factory=list)
    boots: list[str] = field(default_factory=list)

    def _call(self, name: str, effect=lambda: None) -> None:
        failing = len(self.calls) == self.fail_at
        self.calls.append(name)
        if failing and not self.lost_answer:
            raise BmcUnreachable("lost")
        effect()
        if failing:
            raise BmcUnreachable("lost")

    def inventory(self):
        raise NotImplementedError

    def system(self) -> SystemState:
        self._call("system")
        return SystemState(
            self.power_state,
            self.progress,
            self.target,
            self.override,
            uefi_target=self.path,
            boot_next=self.option,
        )

    def media(self) -> str:
        self._call("media")
        return self.image

    def power(self, reset_type: str) -> None:
        def effect() -> None:
            if reset_type == "ForceOff":
                self.power_state = "Off"
                return
            self.power_state = "On"
            self.current = dict(self.future)
            self.boots.append(self._boot() if self.override == "Once" else "disk")
            self.override = "Disabled"

        self._call(f"power {reset_type}", effect)

    def _boot(self) -> str:
        settings = self.current.get("KernelArgs", "")
        match self.target:
            case "Cd":
                return f"{self.image} {settings}".strip()
            case "UefiTarget":
                return f"{self.image} {self.path.partition(' ')[2]} {settings}".strip()
            case "UefiBootNext":
                return self.image if self.option == "Boot0003" else "disk"
        return self.target

    def boot_once(self, override: BootOverride) -> None:
        def effect() -> None:
            self.override, self.target = "Once", override.source
            self.path, self.option = override.path or self.path, override.option or self.option

        self._call("boot_once", effect)

    def cd_boot_option(self) -> str:
        self._call("cd_boot_option")
        return "Boot0003"

    def bios_attribute(self, name: str) -> BiosAttribute | None:
        self._call("bios_attribute")
        if name not in self.future:
            return None
        return BiosAttribute(self.current[name], self.future[name])

    def set_bios_attribute(self, name: str, value: str) -> None:
        self._call("set_bios_attribute", lambda: self.future.update({name: value}))

    def boot_normally(self) -> None:
        self._call("boot_normally", lambda: self.__dict__.update(override="Disabled"))

    def insert_media(self, image: str) -> None:
        assert not self.image, "real BMCs refuse a second image"
        self._call("insert", lambda: self.__dict__.update(image=image))

    def eject_media(self) -> None:
        self._call("eject", lambda: self.__dict__.update(image=""))


STARTS = {
    "off and empty": {},
    "on and empty": {"power_state": "On"},
    "on with another image": {"power_state": "On", "image": "http://images.lab/old.iso"},
    "off with our image put in by somebody": {"image": IMAGE},
    "on with our image, never booted by us": {"power_state": "On", "image": IMAGE},
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_provision_boots_the_image(start):
    bmc = FakeBmc(**start)
    bmc_operations.provision(bmc, ISO, resumed=False)
    assert bmc.boots == [IMAGE]
    assert bmc_operations.verify(bmc, ISO).booted


@pytest.mark.upstream("U10")
@pytest.mark.parametrize("lost_answer", [False, True])
@pytest.mark.parametrize("start", list(STARTS.values())[:3], ids=list(STARTS)[:3])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_provision_interrupted_anywhere_and_resumed_boots_exactly_once(plan, start, lost_answer):
    complete = FakeBmc(**start)
    bmc_operations.provision(complete, plan, resumed=False)
    for fail_at in range(len(complete.calls)):
        bmc = FakeBmc(**start, fail_at=fail_at, lost_answer=lost_answer)
        with pytest.raises(BmcUnreachable):
            bmc_operations.provision(bmc, plan, resumed=False)
        bmc_operations.provision(bmc, plan, resumed=True)
        wanted = f"{IMAGE} {plan.parameters}".strip()
        assert bmc.boots == [wanted], f"interrupted at {complete.calls[fail_at]}"
        assert bmc_operations.verify(bmc, plan).booted


@pytest.mark.upstream("U12")
@pytest.mark.parametrize("mode", ["PXE", "iPXE"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_network_boot_touches_no_media(mode, start):
    bmc = FakeBmc(**start)
    bmc_operations.provision(bmc, BootPlan(mode, ""), resumed=False)
    assert bmc.boots == ["Pxe"]
    assert not {"insert", "eject", "media"} & set(bmc.calls)


@pytest.mark.upstream("U9")
def test_a_host_that_is_on_is_reset():
    bmc = FakeBmc(power_state="On")
    bmc_operations.provision(bmc, ISO, resumed=False)
    assert bmc.calls[-1] == "power ForceRestart"


def test_a_bios_without_the_attribute_gets_the_parameters_by_the_loaders_arguments():
    bmc = FakeBmc(current={}, future={})
    plan = PLANS["bios-attribute"]
    bmc_operations.provision(bmc, plan, resumed=False)
    assert bmc.boots == [f"{IMAGE} {PARAMETERS}"]
    assert bmc_operations.verify(bmc, plan).booted
    legacy = BootPlan("RemoteConfig", IMAGE, PARAMETERS, "bios-attribute", "KernelArgs", "Legacy")
    with pytest.raises(BmcRequestRefused, match="KernelArgs"):
        bmc_operations.provision(FakeBmc(current={}, future={}), legacy, resumed=False)


def test_parameters_that_did_not_take_effect_are_noticed():
    bmc = FakeBmc(power_state="On", image=IMAGE)
    with pytest.raises(BmcFault, match="was not applied"):
        bmc_operations.verify(bmc, PLANS["bios-attribute"])


def test_an_owners_kernel_parameters_are_not_left_for_the_next():
    bmc = FakeBmc()
    plan = PLANS["bios-attribute"]
    bmc_operations.provision(bmc, plan, resumed=False)
    bmc.power("ForceOff")
    bmc.eject_media()
    assert not bmc_operations.verify_clean(bmc, plan)
    bmc_operations.deprovision(bmc, plan)
    assert bmc_operations.verify_clean(bmc, plan)
    bmc_operations.provision(bmc, ISO, resumed=False)
    assert bmc.boots[-1] == IMAGE


@pytest.mark.parametrize(
    ("lost", "said"),
    [("boot_once", "accepted a one-time boot"), ("insert_media", "accepted an image")],
)
@pytest.mark.parametrize("start", list(STARTS.values())[:3], ids=list(STARTS)[:3])
def test_what_was_accepted_and_lost_is_noticed_before_the_boot(start, lost, said):
    bmc = FakeBmc(**start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bmc, lost, lambda argument: bmc.calls.append(lost))
        with pytest.raises(BmcFault, match=said):
            bmc_operations.provision(bmc, ISO, resumed=False)
    assert bmc.boots == []
    bmc_operations.provision(bmc, ISO, resumed=True)
    assert bmc.boots == [IMAGE]


def test_a_host_in_the_middle_of_a_boot_is_switched_off_first():
    bmc = FakeBmc(power_state="On", progress="InPost")
    with pytest.raises(BmcBusy, match="InPost"):
        bmc_operations.provision(bmc, ISO, resumed=False)
    assert bmc.calls == ["system", "media", "power ForceOff"]
    bmc_operations.provision(bmc, ISO, resumed=True)
    assert bmc.boots == [IMAGE]


def test_a_host_that_restarts_before_its_image_is_in_is_not_taken_for_booting_it():
    class Restarting(FakeBmc):
        def insert_media(self, image: str) -> None:
            if not self.boots:
                self.power("ForceRestart")
            super().insert_media(image)

    bmc = Restarting(power_state="On")
    with pytest.raises(BmcFault, match="restarted"):
        bmc_operations.provision(bmc, ISO, resumed=False)
    bmc_operations.provision(bmc, ISO, resumed=True)
    assert bmc.boots == ["", IMAGE]


@pytest.mark.upstream("U9")
def test_verify_waits_for_the_boot_and_notices_missing_media():
    booting = FakeBmc(power_state="On", image=IMAGE, progress="OSBootStarted")
    assert not bmc_operations.verify(booting, ISO).booted
    pending = FakeBmc(power_state="On", image=IMAGE, override="Once", target="Cd")
    assert not bmc_operations.verify(pending, ISO).booted
    off = FakeBmc(power_state="Off", image=IMAGE)
    assert not bmc_operations.verify(off, ISO).booted
    with pytest.raises(BmcFault, match="no longer"):
        bmc_operations.verify(FakeBmc(power_state="On"), ISO)


@pytest.mark.parametrize(
    "operation",
    [
        lambda bmc: bmc_operations.provision(bmc, ISO, resumed=False),
        lambda bmc: bmc_operations.deprovision(bmc, ISO),
    ],
    ids=["provision", "deprovision"],
)
def test_power_that_a_bmc_does_not_tell_is_not_taken_for_off(operation):
    """Else a host that runs is neither switched off nor reset."""
    bmc = FakeBmc(power_state="")
    with pytest.raises(BmcFault, match="does not say whether the host is on"):
        operation(bmc)
    assert bmc.boots == []


@pytest.mark.parametrize("lost_answer", [False, True])
def test_deprovision_interrupted_anywhere_leaves_the_host_off_and_empty(lost_answer):
    start = {"power_state": "On", "image": IMAGE, "override": "Once", "target": "Cd"}
    complete = FakeBmc(**start)
    bmc_operations.deprovision(complete, ISO)
    for fail_at in range(len(complete.calls)):
        bmc = FakeBmc(**start, fail_at=fail_at, lost_answer=lost_answer)
        with pytest.raises(BmcUnreachable):
            bmc_operations.deprovision(bmc, ISO)
        bmc_operations.deprovision(bmc, ISO)
        assert (bmc.power_state, bmc.image, bmc.override) == ("Off", "", "Disabled")
