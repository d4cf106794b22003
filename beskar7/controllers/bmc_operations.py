"""What is done to a BMC, step by step. Each operation reads first and does only what is missing.

So an operation may be repeated after any failure: a request whose answer was lost is never sent
again blindly.
"""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.controllers.boot import LOADER, BootPlan
from beskar7.redfish.port import (
    Bmc,
    BmcBusy,
    BmcFault,
    BmcRequestRefused,
    BootOverride,
    Inventory,
    SystemState,
)
from beskar7.redfish.vendors import Mechanism

BOOTED = "OSRunning"


@dataclass(frozen=True, slots=True)
class BootStatus:
    """``booted`` once the host runs what its one-time boot gave it."""

    booted: bool
    power: str
    progress: str


def inspect(bmc: Bmc) -> Inventory:
    return bmc.inventory()


def provision(bmc: Bmc, plan: BootPlan, *, resumed: bool) -> None:
    """Make the host boot once as ``plan`` says.

    Parameters and override are set before the media goes in. So, when an earlier attempt was
    interrupted (``resumed``) and our image is in while no one-time boot is pending, the boot has
    begun. A boot from the network leaves no such trace, and is asked for again.

    Raises:
        BmcBusy: the host was in the middle of a boot, and is switched off first.
        BmcFault: the BMC does not say whether the host is on, did not take the override or the
            image that it accepted, or the host restarted meanwhile.
        BmcRequestRefused: the BMC offers no way to boot so.
    """
    system = _state(bmc)
    media = bmc.media() if plan.image else ""
    if plan.image and resumed and _begun(system, media, plan):
        return
    if system.on and system.boot_progress not in (BOOTED, ""):
        # Some BMCs take no override during the self-test. And a host that goes on restarting
        # uses the override up, before its image is in or just before our reset.
        bmc.power("ForceOff")
        raise BmcBusy(f"the host was in the middle of a boot ({system.boot_progress})")
    if media and not (resumed and media == plan.image):
        bmc.eject_media()
        media = ""
    override = _prepare(bmc, plan)
    if not system.awaits(override):
        bmc.boot_once(override)
        # An accepted request proves nothing, and once the host has booted, an override that was
        # consumed looks like one that never was.
        if not bmc.system().awaits(override):
            raise BmcFault("the BMC accepted a one-time boot and does not show it")
    if plan.image and not media:
        bmc.insert_media(plan.image)
        if bmc.media() != plan.image:
            # Should it come once the host has booted its disk, nothing would tell.
            raise BmcFault("the BMC accepted an image and does not show it in its virtual drive")
        if system.on and not bmc.system().awaits(override):
            # With the image in, that would look like a boot that has begun.
            bmc.eject_media()
            raise BmcFault("the host restarted before its image was in")
    # A host that is on would go on running what it runs: it has to be reset (U9).
    bmc.power("ForceRestart" if system.on else "On")


def _state(bmc: Bmc) -> SystemState:
    """What the host does now, for who decides by it whether to switch it on or off.

    Raises:
        BmcFault: the BMC does not say; another answer may.
    """
    system = bmc.system()
    if not system.power:
        raise BmcFault("the BMC does not say whether the host is on")
    return system


def _begun(system: SystemState, media: str, plan: BootPlan) -> bool:
    return media == plan.image and system.on and not system.one_time_boot_pending


def _prepare(bmc: Bmc, plan: BootPlan) -> BootOverride:
    """Bring the kernel parameters on their way; the override that boots with them.

    One override cannot name both a drive and parameters (U10): either it names the loader on the
    inserted media and the parameters, or it names the drive and the parameters are a setting.
    """
    if not plan.image:
        return BootOverride("Pxe", mode=plan.firmware)
    cd = BootOverride("Cd", mode=plan.firmware)
    if plan.mechanism == Mechanism.BOOT_OPTIONS:
        option = bmc.cd_boot_option()
        return BootOverride("UefiBootNext", option=option, mode=plan.firmware) if option else cd
    if not plan.parameters:
        return cd
    if plan.mechanism == Mechanism.BIOS_ATTRIBUTE:
        held = bmc.bios_attribute(plan.attribute)
        if held is not None:
            if held.future != plan.parameters:
                bmc.set_bios_attribute(plan.attribute, plan.parameters)
            return cd
        if plan.firmware == "Legacy":
            raise BmcRequestRefused(
                f"the BIOS has no attribute {plan.attribute}, and bootMode Legacy knows no other "
                "way for kernel parameters"
            )
    return BootOverride("UefiTarget", path=f"{LOADER} {plan.parameters}", mode=plan.firmware)


def verify(bmc: Bmc, plan: BootPlan) -> BootStatus:
    """Whether the boot that ``provision`` asked for is done.

    Raises:
        BmcFault: the host runs, but our image is no longer in its drive, or the parameters did
            not take effect.
    """
    system = bmc.system()
    # A BMC without BootProgress can only say that the override was consumed and power is on.
    running = system.boot_progress in (BOOTED, "")
    booted = system.on and running and not system.one_time_boot_pending
    if booted and plan.image and bmc.media() != plan.image:
        raise BmcFault("the host booted, but the image was no longer in its virtual drive")
    if booted and plan.attribute:
        held = bmc.bios_attribute(plan.attribute)
        if held is not None and held.current != plan.parameters:
            raise BmcFault(f"the host booted, but BIOS attribute {plan.attribute} was not applied")
    return BootStatus(booted, system.power, system.boot_progress)


def deprovision(bmc: Bmc, plan: BootPlan) -> None:
    """Power off, no media, no pending one-time boot, no kernel parameters for the next owner.

    Raises:
        BmcFault: the BMC does not say whether the host is on.
    """
    system = _state(bmc)
    if system.on or system.power.startswith("Powering"):
        bmc.power("ForceOff")
    if system.one_time_boot_pending:
        bmc.boot_normally()
    if bmc.media():
        bmc.eject_media()
    if _parameters_left(bmc, plan):
        bmc.set_bios_attribute(plan.attribute, "")


def verify_clean(bmc: Bmc, plan: BootPlan) -> bool:
    """Whether the clean-up that ``deprovision`` asked for has taken effect."""
    system = bmc.system()
    quiet = system.power == "Off" and not system.one_time_boot_pending
    return quiet and not bmc.media() and not _parameters_left(bmc, plan)


def _parameters_left(bmc: Bmc, plan: BootPlan) -> bool:
    held = bmc.bios_attribute(plan.attribute) if plan.attribute else None
    return held is not None and held.future != ""
