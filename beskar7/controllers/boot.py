"""What a host is to boot, and how: from its owner's wish and its vendor's way, decided once.

The plan is written into ``status.boot`` before anything is done, and carried out as it stands
there: after a crash, and after somebody changed an annotation, the same boot goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.resources import (
    BOOT_MECHANISM_ANNOTATION,
    KERNEL_ARG_ATTRIBUTE_ANNOTATION,
    NETWORK_MODES,
    PhysicalHost,
)
from beskar7.redfish.port import BmcError
from beskar7.redfish.vendors import Mechanism, vendor_of

CONFIG_PARAMETERS = {
    "kairos": "config_url",
    "flatcar": "flatcar.ignition.config.url",
    "LeapMicro": "combustion.path",
}
"""By operating system, the kernel parameter that names its configuration (facts section 3)."""
LOADER = r"\EFI\BOOT\BOOTX64.EFI"
"""UEFI's loader on removable media (facts section 5)."""


class BootImpossible(BmcError):
    """The wish and the host's way to boot do not fit; only a change of one of them helps."""

    reason = "BootParametersUnsupported"
    transient = False


@dataclass(frozen=True, slots=True)
class BootPlan:
    """``image`` empty: from the network. ``attribute``: of the BIOS, for ``bios-attribute``."""

    mode: str
    image: str
    parameters: str = ""
    mechanism: str = ""
    attribute: str = ""
    firmware: str = ""

    @classmethod
    def of(cls, host: PhysicalHost) -> BootPlan:
        """What ``host``'s owner wishes.

        Raises:
            BootImpossible: saying what does not fit and what would.
        """
        wish = host.boot_wish
        mode, firmware = wish.get("mode") or "PreBakedISO", wish.get("bootMode") or ""
        if mode in NETWORK_MODES:
            return cls(mode, "", firmware=firmware)
        mechanism, attribute = _mechanism(host)
        if mode == "RemoteConfig":
            parameters = _parameters(wish)
            if mechanism not in (Mechanism.UEFI_TARGET, Mechanism.BIOS_ATTRIBUTE):
                raise BootImpossible(
                    f"RemoteConfig needs kernel parameters, which mechanism {mechanism} of host "
                    f"{host.name} cannot pass; use {Mechanism.UEFI_TARGET} or "
                    f"{Mechanism.BIOS_ATTRIBUTE} (annotation {BOOT_MECHANISM_ANNOTATION})"
                )
            if mechanism == Mechanism.UEFI_TARGET and firmware == "Legacy":
                raise BootImpossible(
                    f"{Mechanism.UEFI_TARGET} needs bootMode UEFI, and the machine asks for Legacy"
                )
            return cls(mode, host.image, parameters, mechanism, attribute, firmware)
        if mechanism == Mechanism.BOOT_OPTIONS and firmware != "Legacy":
            return cls(mode, host.image, mechanism=mechanism, firmware=firmware)
        return cls(mode, host.image, firmware=firmware)

    @classmethod
    def from_status(cls, boot: dict[str, Any]) -> BootPlan:
        """The plan that :meth:`to_status` wrote."""
        return cls(
            boot.get("mode") or "PreBakedISO",
            boot.get("image") or "",
            boot.get("parameters") or "",
            boot.get("mechanism") or "",
            boot.get("biosAttribute") or "",
            boot.get("bootMode") or "",
        )

    def to_status(self) -> dict[str, Any]:
        fields = {
            "mode": self.mode,
            "image": self.image,
            "parameters": self.parameters,
            "mechanism": self.mechanism,
            "biosAttribute": self.attribute,
            "bootMode": self.firmware,
        }
        return {name: value for name, value in fields.items() if value}

    def __str__(self) -> str:
        what = self.image or "the network"
        return f"{what} ({self.mode}{f', {self.parameters}' if self.parameters else ''})"


def _mechanism(host: PhysicalHost) -> tuple[str, str]:
    """Mechanism and BIOS attribute: the vendor's, unless the host's annotations say otherwise."""
    vendor = vendor_of(host.manufacturer)
    named = host.annotations.get(BOOT_MECHANISM_ANNOTATION, "")
    attribute = host.annotations.get(KERNEL_ARG_ATTRIBUTE_ANNOTATION, "")
    if named and named not in [*Mechanism]:
        raise BootImpossible(
            f"annotation {BOOT_MECHANISM_ANNOTATION}: {named!r} is none of {', '.join(Mechanism)}"
        )
    mechanism = named or (Mechanism.BIOS_ATTRIBUTE if attribute else vendor.mechanism)
    if mechanism != Mechanism.BIOS_ATTRIBUTE:
        return mechanism, ""
    attribute = attribute or vendor.attribute
    if not attribute:
        raise BootImpossible(
            f"mechanism {mechanism} needs annotation {KERNEL_ARG_ATTRIBUTE_ANNOTATION}: "
            f"the BIOS attribute is not known for vendor {vendor.name}"
        )
    return mechanism, attribute


def _parameters(wish: dict[str, Any]) -> str:
    name = CONFIG_PARAMETERS.get(str(wish.get("osFamily")))
    url = str(wish.get("configURL") or "")
    if name is None or not url:
        raise BootImpossible("RemoteConfig needs an osFamily that is known, and a configURL")
    return f"{name}={url}"
