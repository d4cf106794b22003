"""Vendor differences as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mechanism(StrEnum):
    """How kernel parameters get to the image that a host boots, in the annotation's words."""

    UEFI_TARGET = "uefi-target"
    """The one-time boot override names a loader and its arguments."""
    BIOS_ATTRIBUTE = "bios-attribute"
    """A BIOS setting, applied on reset, holds them; the override names the drive."""
    BOOT_OPTIONS = "boot-options"
    """The override names one of the firmware's boot options, which carries no parameters."""
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Vendor:
    """``cooldown``: seconds of rest that a BMC needs between two operations.

    ``max_concurrent_ops``: writing operations at once on BMCs of this vendor; None: no such limit.
    ``attribute``: the BIOS attribute that holds kernel parameters, where there is one.
    """

    name: str
    markers: tuple[str, ...]
    cooldown: float
    max_concurrent_ops: int | None = None
    mechanism: Mechanism = Mechanism.UEFI_TARGET
    attribute: str = ""


GENERIC = Vendor("generic", (), 10.0)
"""Cooldown: the documented default of ``provisioning.bmcCooldownPeriod``."""

# Cooldowns: the vendor table of the concurrent-provisioning guide (facts section 12, row M).
# Limits: that of the configuration guide (row C), which has none for Lenovo.
# Mechanisms and attributes: facts section 5.
VENDORS = (
    Vendor("dell", ("dell",), 10.0, 8, Mechanism.BIOS_ATTRIBUTE, "KernelArgs"),
    Vendor("hpe", ("hpe", "hewlett", "hp enterprise"), 8.0, 12),
    Vendor("lenovo", ("lenovo",), 12.0),
    Vendor(
        "supermicro",
        ("supermicro", "super micro"),
        15.0,
        4,
        Mechanism.BIOS_ATTRIBUTE,
        "BootArgs",
    ),
)


def vendor_of(manufacturer: str) -> Vendor:
    """The vendor that a Redfish ``Manufacturer`` names; :data:`GENERIC` for any other."""
    lowered = manufacturer.lower()
    for vendor in VENDORS:
        if any(marker in lowered for marker in vendor.markers):
            return vendor
    return GENERIC
