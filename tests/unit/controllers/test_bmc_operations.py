"""The BMC operations, interrupted at every request and repeated, end in the wanted state."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from beskar7.controllers import bmc_operations
from beskar7.redfish.port import BmcFault, BmcUnreachable, SystemState

pytestmark = pytest.mark.unit

IMAGE = "http://images.lab/new.iso"


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
        return SystemState(self.power_state, self.progress, self.target, self.override)

    def media(self) -> str:
        self._call("media")
        return self.image

    def power(self, reset_type: str) -> None:
        def effect() -> None:
            if reset_type == "ForceOff":
                self.power_state = "Off"
                return
            self.power_state = "On"
            once = self.override == "Once" and self.target == "Cd"
            self.boots.append(self.image if once else "disk")
            self.override = "Disabled"

        self._call(f"power {reset_type}", effect)

    def boot_once(self, source: str) -> None:
        self._call("boot_once", lambda: self.__dict__.update(override="Once", target=source))

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
    bmc_operations.provision(bmc, IMAGE, resumed=False)
    assert bmc.boots == [IMAGE]
    assert bmc_operations.verify(bmc, IMAGE).booted


@pytest.mark.parametrize("lost_answer", [False, True])
@pytest.mark.parametrize("start", list(STARTS.values())[:3], ids=list(STARTS)[:3])
def test_provision_interrupted_anywhere_and_resumed_boots_exactly_once(start, lost_answer):
    complete = FakeBmc(**start)
    bmc_operations.provision(complete, IMAGE, resumed=False)
    for fail_at in range(len(complete.calls)):
        bmc = FakeBmc(**start, fail_at=fail_at, lost_answer=lost_answer)
        with pytest.raises(BmcUnreachable):
            bmc_operations.provision(bmc, IMAGE, resumed=False)
        bmc_operations.provision(bmc, IMAGE, resumed=True)
        assert bmc.boots == [IMAGE], f"interrupted at {complete.calls[fail_at]}"


def test_verify_waits_for_the_boot_and_notices_missing_media():
    booting = FakeBmc(power_state="On", image=IMAGE, progress="OSBootStarted")
    assert not bmc_operations.verify(booting, IMAGE).booted
    pending = FakeBmc(power_state="On", image=IMAGE, override="Once", target="Cd")
    assert not bmc_operations.verify(pending, IMAGE).booted
    off = FakeBmc(power_state="Off", image=IMAGE)
    assert not bmc_operations.verify(off, IMAGE).booted
    with pytest.raises(BmcFault, match="no longer"):
        bmc_operations.verify(FakeBmc(power_state="On"), IMAGE)


@pytest.mark.parametrize("lost_answer", [False, True])
def test_deprovision_interrupted_anywhere_leaves_the_host_off_and_empty(lost_answer):
    start = {"power_state": "On", "image": IMAGE, "override": "Once", "target": "Cd"}
    complete = FakeBmc(**start)
    bmc_operations.deprovision(complete)
    for fail_at in range(len(complete.calls)):
        bmc = FakeBmc(**start, fail_at=fail_at, lost_answer=lost_answer)
        with pytest.raises(BmcUnreachable):
            bmc_operations.deprovision(bmc)
        bmc_operations.deprovision(bmc)
        assert (bmc.power_state, bmc.image, bmc.override) == ("Off", "", "Disabled")
