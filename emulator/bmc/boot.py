"""What a machine can boot from, by the name that UEFI gives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One boot option; ``source`` is its alias as ``BootSourceOverrideTarget`` has it."""

    source: str
    name: str
    device_path: str


OPTIONS: dict[str, Option] = {
    "Boot0001": Option("Hdd", "Hard disk", "PciRoot(0x0)/Pci(0x1,0x0)/NVMe(0x1)"),
    "Boot0002": Option("Pxe", "PXE, NIC 1", "PciRoot(0x0)/Pci(0x2,0x0)/MAC()/IPv4()"),
    "Boot0003": Option("Cd", "Virtual CD", "PciRoot(0x0)/Pci(0x3,0x0)/USB(0x0,0x0)/CDROM(0x0)"),
    "Boot0004": Option("UefiHttp", "HTTP, NIC 1", "PciRoot(0x0)/Pci(0x2,0x0)/MAC()/IPv4()/Uri()"),
}
"""In the order in which a machine tries them, until ``BootOrder`` says otherwise."""


def by_device_path(path: str) -> Option | None:
    return next((option for option in OPTIONS.values() if option.device_path == path), None)
