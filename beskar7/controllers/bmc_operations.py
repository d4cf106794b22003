"""What is done to a BMC, step by step. Each operation reads first and does only what is missing.

So an operation may be repeated after any failure: a request whose answer was lost is never sent
again blindly.
"""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.redfish.port import Bmc, BmcFault, Inventory

BOOT_SOURCE = "Cd"
BOOTED = "OSRunning"


@dataclass(frozen=True, slots=True)
class BootStatus:
    """``booted`` once the host runs what its one-time boot gave it."""

    booted: bool
    power: str
    progress: str


def inspect(bmc: Bmc) -> Inventory:
    return bmc.inventory()


def provision(bmc: Bmc, image: str, *, resumed: bool) -> None:
    """Make the host boot ``image`` once.

    The override is set before the media goes in. So, when an earlier attempt was interrupted
    (``resumed``) and our image is in while no one-time boot is pending, the boot has begun.
    """
    system = bmc.system()
    media = bmc.media()
    if resumed and media == image and system.on and not system.one_time_boot_pending:
        return
    if media and not (resumed and media == image):
        bmc.eject_media()
        media = ""
    if not (system.one_time_boot_pending and system.override_target == BOOT_SOURCE):
        bmc.boot_once(BOOT_SOURCE)
    if not media:
        bmc.insert_media(image)
    # A host that is on would go on running what it runs: it has to be reset (U9).
    bmc.power("ForceRestart" if system.on else "On")


def verify(bmc: Bmc, image: str) -> BootStatus:
    """Whether the boot that ``provision`` asked for is done.

    Raises:
        BmcFault: the host runs, but our image is no longer in its drive.
    """
    system = bmc.system()
    # A BMC without BootProgress can only say that the override was consumed and power is on.
    running = system.boot_progress in (BOOTED, "")
    booted = system.on and running and not system.one_time_boot_pending
    if booted and bmc.media() != image:
        raise BmcFault("the host booted, but the image was no longer in its virtual drive")
    return BootStatus(booted, system.power, system.boot_progress)


def deprovision(bmc: Bmc) -> None:
    """Power off, no media, no pending one-time boot."""
    system = bmc.system()
    if system.on or system.power.startswith("Powering"):
        bmc.power("ForceOff")
    if system.one_time_boot_pending:
        bmc.boot_normally()
    if bmc.media():
        bmc.eject_media()


def verify_clean(bmc: Bmc) -> bool:
    """Whether the clean-up that ``deprovision`` asked for has taken effect."""
    system = bmc.system()
    return system.power == "Off" and not system.one_time_boot_pending and not bmc.media()
