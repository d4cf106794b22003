"""Vendor differences as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


# Where a vendor says in Oem how far a boot is, and its word for "the operating system runs":
# iLO RESTful API documentation (HPE, iLO 5), PostState; Lenovo XClarity Controller REST API Guide.
POST_STATES = (("Hpe", "PostState", "FinishedPost"), ("Lenovo", "SystemStatus", "OSBooted"))
OS_RUNNING = "OSRunning"


def boot_progress(system: Mapping[str, Any]) -> str:
    """How far the boot of a System is: ``BootProgress.LastState``, or what Oem says instead.

    A vendor's word for a running system becomes Redfish's; its other words stay as they are.
    Empty where the BMC says nothing at all.
    """
    state = (system.get("BootProgress") or {}).get("LastState")
    if state:
        return str(state)
    for vendor, name, done in POST_STATES:
        word = ((system.get("Oem") or {}).get(vendor) or {}).get(name)
        if word:
            return OS_RUNNING if word == done else str(word)
    return ""
