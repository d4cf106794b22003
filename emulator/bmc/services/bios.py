"""The BIOS's attributes: what is set, what is pending, and the reset at which it takes effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.redfish import timestamp
from emulator.bmc.services import base
from emulator.bmc.services.messages import message, refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

REGISTRY = "BiosAttributeRegistry.v1_0_0"
# Attribute: its default, and the values that it takes.
ATTRIBUTES: dict[str, tuple[str, tuple[str, ...]]] = {
    "BootMode": ("Uefi", ("Uefi", "LegacyBios")),
    "EmbeddedSata": ("Ahci", ("Ahci", "Raid", "Off")),
    "NicBoot1": ("NetworkBoot", ("NetworkBoot", "Disabled")),
    "PowerProfile": ("Balanced", ("Balanced", "MaxPerf", "MinPower")),
    "ProcTurboMode": ("Enabled", ("Enabled", "Disabled")),
    "ProcVirtualization": ("Enabled", ("Enabled", "Disabled")),
    "SriovGlobalEnable": ("Disabled", ("Enabled", "Disabled")),
}
ARGUMENTS_LENGTH = 4096
APPLY = {
    "@odata.type": "#Settings.v1_3_5.PreferredApplyTime",
    "ApplyTime": "OnReset",
}


class Bios:
    """The attributes of one machine's BIOS. Only what differs from the defaults is kept."""

    def __init__(self, bmc: Bmc) -> None:
        self._arguments = bmc.personality.kernel_arguments
        defaults = {name: default for name, (default, _) in ATTRIBUTES.items()}
        self.defaults = defaults | ({self._arguments: ""} if self._arguments else {})
        self._changed: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self.applied: float | None = None
        """``runtime.now()`` of the last boot that applied settings."""

    @property
    def current(self) -> dict[str, str]:
        return self.defaults | self._changed

    @property
    def future(self) -> dict[str, str]:
        """What holds after the next boot."""
        return {**self.current, **self._pending}

    def plan(self, attributes: dict[str, str]) -> None:
        """Have the attributes set at the next boot."""
        self._pending |= attributes

    def reset(self) -> None:
        """The defaults, from the next boot on."""
        self._pending = dict(self.defaults)

    def booted(self, at: float) -> str:
        """A boot applies what was pending; the kernel arguments that hold for it."""
        if self._pending:
            self._changed = {**self._changed, **self._pending}
            self._pending = {}
            self.applied = at
        return self.current.get(self._arguments, "")


def _attributes(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refuse(400, "PropertyValueTypeError", value, "Attributes", related="Attributes")
    for name, item in value.items():
        where = f"Attributes/{name}"
        state: Bios = base.state("bios_settings")
        if name not in state.defaults:
            raise refuse(400, "PropertyUnknown", where, related=where)
        if name in ATTRIBUTES:
            base.choice(item, where, ATTRIBUTES[name][1])
        else:
            base.text(item, where, ARGUMENTS_LENGTH)
    return value


def _bios(path: str, ident: str, name: str, attributes: dict[str, str]) -> dict[str, Any]:
    return base.resource(
        path, "Bios.v1_2_1", ident, name, AttributeRegistry=REGISTRY, Attributes=attributes
    )


def register(app: flask.Flask) -> None:
    rule = f"{base.ROOT}/Systems/<identity>/BIOS"

    @base.route(app, rule)
    def bios(identity: str) -> Any:
        base.only(identity)
        state: Bios = base.state("bios_settings")
        path = f"{base.ROOT}/Systems/{identity}/BIOS"
        body = _bios(path, "BIOS", "BIOS Configuration Current Settings", state.current)
        settings: dict[str, Any] = {
            "@odata.type": "#Settings.v1_3_5.Settings",
            "SettingsObject": base.link(f"{path}/Settings"),
            "SupportedApplyTimes": ["OnReset"],
            "Messages": [],
        }
        if state.applied is not None:
            running = base.call()
            settings["Time"] = timestamp(state.applied + running.wall - running.now)
            settings["Messages"] = [message("Success")]
        body["@Redfish.Settings"] = settings
        body["Actions"] = {
            "#Bios.ResetBios": {"target": f"{path}/Actions/Bios.ResetBios"},
        }
        return body

    @base.route(app, f"{rule}/Settings", "GET", "PATCH", "PUT")
    def bios_settings(identity: str) -> Any:
        base.only(identity)
        state: Bios = base.state("bios_settings")
        path = f"{base.ROOT}/Systems/{identity}/BIOS/Settings"

        def shown() -> dict[str, Any]:
            body = _bios(path, "Settings", "BIOS Configuration Pending Settings", state.future)
            return {**body, "@Redfish.SettingsApplyTime": APPLY}

        if flask.request.method == "GET":
            return shown()
        data = base.given()
        wanted = data.pop("@Redfish.SettingsApplyTime", None)
        if wanted is not None and wanted.get("ApplyTime") != "OnReset":
            name = "@Redfish.SettingsApplyTime/ApplyTime"
            raise refuse(400, "PropertyValueNotInList", wanted.get("ApplyTime"), name)
        return base.patch(shown, {"Attributes": base.setter(_attributes, state.plan)}, data)

    @base.route(app, f"{rule}/Actions/Bios.ResetBios", "POST")
    def reset_bios(identity: str) -> Any:
        base.only(identity)
        base.state("bios_settings").reset()
        return None
