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


REMOVABLE_LOADER = r"\EFI\BOOT\BOOTX64.EFI"
"""Where UEFI looks for a loader on removable media: of a bare path, the CD is meant."""
UEFI_ONLY = ("UefiTarget", "UefiBootNext", "UefiHttp")
"""Override targets that a machine in Legacy mode does not follow."""


def uefi_target(text: str) -> tuple[Option | None, str]:
    """What ``UefiTargetBootSourceOverride`` means, and the arguments that follow its first blank.

    It is a device path, a device path and ``/`` and the removable loader's path, or that alone.
    None for what names no device of the machine.
    """
    path, _, arguments = text.partition(" ")
    device, _, file = path.rpartition("/")
    if path.upper() == REMOVABLE_LOADER:
        device = next(item.device_path for item in OPTIONS.values() if item.source == "Cd")
    elif file.upper() != REMOVABLE_LOADER:
        device = path
    found = (option for option in OPTIONS.values() if option.device_path == device)
    return next(found, None), arguments.strip()


@dataclass(frozen=True, slots=True)
class Booted:
    """What a machine booted: the source as Redfish names it, the image's URL or nothing.

    ``arguments`` are what the firmware handed to the kernel, ``mode`` is UEFI or Legacy.
    """

    source: str
    image: str = ""
    arguments: str = ""
    mode: str = "UEFI"

    def __str__(self) -> str:
        """``Cd:http://lab/a.iso``, then `` mode=Legacy`` and `` -- arguments`` where there are."""
        mode = "" if self.mode == "UEFI" else f" mode={self.mode}"
        return f"{self.source}:{self.image}{mode}{f' -- {self.arguments}' * bool(self.arguments)}"

    @classmethod
    def parse(cls, text: str) -> Booted:
        """The reverse of ``str``: an image's URL holds no blank."""
        what, _, arguments = text.partition(" -- ")
        what, _, mode = what.partition(" mode=")
        source, _, image = what.partition(":")
        return cls(source, image, arguments, mode or "UEFI")
