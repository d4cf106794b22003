"""Vendor differences as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """``cooldown``: seconds of rest that a BMC needs between two operations.

    ``max_concurrent_ops``: writing operations at once on BMCs of this vendor; None: no such limit.
    """

    name: str
    markers: tuple[str, ...]
    cooldown: float
    max_concurrent_ops: int | None = None


GENERIC = Vendor("generic", (), 10.0)
"""Cooldown: the documented default of ``provisioning.bmcCooldownPeriod``."""

# Cooldowns: the vendor table of the concurrent-provisioning guide (facts section 12, row M).
# Limits: that of the configuration guide (row C), which has none for Lenovo.
VENDORS = (
    Vendor("dell", ("dell",), 10.0, max_concurrent_ops=8),
    Vendor("hpe", ("hpe", "hewlett", "hp enterprise"), 8.0, max_concurrent_ops=12),
    Vendor("lenovo", ("lenovo",), 12.0),
    Vendor("supermicro", ("supermicro", "super micro"), 15.0, max_concurrent_ops=4),
)


def vendor_of(manufacturer: str) -> Vendor:
    """The vendor that a Redfish ``Manufacturer`` names; :data:`GENERIC` for any other."""
    lowered = manufacturer.lower()
    for vendor in VENDORS:
        if any(marker in lowered for marker in vendor.markers):
            return vendor
    return GENERIC
