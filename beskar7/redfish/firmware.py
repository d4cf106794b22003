"""What sushy does not do with a system's firmware: boot targets, boot options, BIOS settings.

``read`` fetches a Redfish path; what it raises passes through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beskar7.redfish.port import BiosAttribute, BmcFault, BmcRequestRefused, BootOverride

Read = Callable[[str], Any]

APPLY_ON_RESET = {"@odata.type": "#Settings.v1_3_0.PreferredApplyTime", "ApplyTime": "OnReset"}
ALLOWED = "BootSourceOverrideTarget@Redfish.AllowableValues"
MOST_OPTIONS = 32
"""Boot options that are looked at; firmware lists a handful."""


def boot_mode(system: Any, wanted: str) -> str:
    """The BootSourceOverrideMode to send: nothing where the BMC offers none or has it already."""
    held = (system.get("Boot") or {}).get("BootSourceOverrideMode")
    return wanted if wanted and held and held != wanted else ""


def check_boot(system: Any) -> None:
    """Whether the answer has what the choice of a one-time boot's source rests on.

    By them sushy knows the BMCs (Supermicro's) that take ``Cd``, show it, and boot the disk: these
    want ``UsbCd``. An answer that left them out once would leave a wrong override for good.

    Raises:
        BmcFault: it lacks something; another answer may have it.
    """
    boot = system.get("Boot") or {}
    missing = [name for name in ("Manufacturer", "Boot") if not system.get(name)]
    if not missing and ALLOWED not in boot and "supermicro" in system["Manufacturer"].lower():
        missing = [f"Boot/{ALLOWED}"]
    if missing:
        raise BmcFault(f"the BMC's answer lacks {' and '.join(missing)} of its system")


def boot_patch(system: Any, override: BootOverride) -> dict[str, Any]:
    """``Boot`` of the request that asks for this override.

    Raises:
        BmcRequestRefused: the BMC says that it does not know such a target.
    """
    boot = system.get("Boot") or {}
    allowed = boot.get(ALLOWED)
    if allowed and override.source not in allowed:
        raise BmcRequestRefused(
            f"the BMC offers no boot from {override.source}, only from {', '.join(allowed)}"
        )
    patch = {
        "BootSourceOverrideTarget": override.source,
        "BootSourceOverrideEnabled": "Once",
    }
    if override.path:
        patch["UefiTargetBootSourceOverride"] = override.path
    if override.option:
        patch["BootNext"] = override.option
    if mode := boot_mode(system, override.mode):
        patch["BootSourceOverrideMode"] = mode
    return patch


def cd_boot_option(system: Any, read: Read) -> str:
    """The reference of the boot option that is the virtual CD; empty when none looks so."""
    link = ((system.get("Boot") or {}).get("BootOptions") or {}).get("@odata.id")
    members = read(link)["Members"] if link else ()
    for member in members[:MOST_OPTIONS]:
        option = read(member["@odata.id"])
        words = f"{option.get('DisplayName')} {option.get('Name')} {option.get('UefiDevicePath')}"
        named = any(word in words.lower() for word in ("cd", "dvd", "virtual"))
        if option.get("Alias") in ("Cd", "UsbCd") or (not option.get("Alias") and named):
            return str(option.get("BootOptionReference") or "")
    return ""


def _bios(system: Any, read: Read) -> tuple[Any, str]:
    """The Bios resource and the path of its settings object; (empty, empty) without one."""
    link = (system.get("Bios") or {}).get("@odata.id")
    if not link:
        return {}, ""
    body = read(link)
    settings = (body.get("@Redfish.Settings") or {}).get("SettingsObject") or {}
    return body, str(settings.get("@odata.id") or "")


def bios_attribute(system: Any, read: Read, name: str) -> BiosAttribute | None:
    """A setting as it holds and as it will; None when the BIOS has none of this name."""
    body, settings = _bios(system, read)
    held = (body.get("Attributes") or {}).get(name)
    if held is None:
        return None
    future = (read(settings).get("Attributes") or {}).get(name, held) if settings else held
    return BiosAttribute(str(held), str(future))


def bios_patch(system: Any, read: Read, name: str, value: str) -> tuple[str, dict[str, Any]]:
    """Where to send what, so that the setting holds after the next reset.

    Raises:
        BmcRequestRefused: the BMC has no settings object, so nothing can be applied later.
    """
    body, settings = _bios(system, read)
    if not settings:
        raise BmcRequestRefused(f"the BMC has no BIOS settings object to set {name} in")
    patch: dict[str, Any] = {"Attributes": {name: value}}
    times = (body.get("@Redfish.Settings") or {}).get("SupportedApplyTimes") or ()
    if "OnReset" in times:
        # Together with the attributes: by itself it would be a request without a change (U11).
        patch["@Redfish.SettingsApplyTime"] = APPLY_ON_RESET
    return settings, patch
