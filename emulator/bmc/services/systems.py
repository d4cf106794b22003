"""PATCH of a System, and its reset; the System itself is rendered by sushy-tools."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.boot import OPTIONS, uefi_target
from emulator.bmc.machine import OVERRIDES, Machine
from emulator.bmc.services import base
from emulator.bmc.services.messages import refuse

SYSTEMS = f"{base.ROOT}/Systems"
LEDS = ("Lit", "Off", "Blinking")
RESET = "ComputerSystem.Reset"


def path(*parts: str) -> str:
    """A path below the running BMC's system."""
    return "/".join((SYSTEMS, base.call().bmc.system_id, *parts))


def _boot(value: Any) -> Any:
    """The setter of ``Boot``: everything in it is checked before any of it is stored."""
    if not isinstance(value, dict):
        raise refuse(400, "PropertyValueTypeError", value, "Boot", related="Boot")
    if not value:
        raise refuse(400, "NoOperation")
    machine: Machine = base.call().bmc.machine
    checked = {name: _check_boot(f"Boot/{name}", name, item) for name, item in value.items()}
    target = checked.get("BootSourceOverrideTarget")
    if target == "UefiTarget" and not (
        checked.get("UefiTargetBootSourceOverride") or machine.uefi_target
    ):
        raise refuse(400, "PropertyMissing", "UefiTargetBootSourceOverride")
    if target == "UefiBootNext" and not (checked.get("BootNext") or machine.boot_next):
        raise refuse(400, "PropertyMissing", "BootNext")
    return lambda: _store_boot(machine, checked)


def _check_boot(where: str, name: str, value: Any) -> Any:
    if name == "BootSourceOverrideTarget":
        return base.choice(value, where, base.call().bmc.personality.boot_targets)
    if name == "BootSourceOverrideEnabled":
        return base.choice(value, where, OVERRIDES)
    if name == "BootSourceOverrideMode":
        return base.choice(value, where, ("UEFI", "Legacy"))
    if name == "HttpBootUri":
        return None if value is None else base.text(value, where, 2048)
    if name == "UefiTargetBootSourceOverride":
        if value is not None and uefi_target(base.text(value, where, 4096))[0] is None:
            raise refuse(400, "PropertyValueNotInList", value, where, related=where)
        return value
    if name == "BootNext":
        return None if value is None else base.choice(value, where, OPTIONS)
    if name == "BootOrder":
        if not isinstance(value, list) or sorted(map(str, value)) != sorted(OPTIONS):
            raise refuse(400, "PropertyValueNotInList", value, where, related=where)
        return tuple(value)
    raise refuse(400, "PropertyUnknown", where, related=where)


def _store_boot(machine: Machine, checked: dict[str, Any]) -> None:
    if "UefiTargetBootSourceOverride" in checked:
        machine.uefi_target = checked["UefiTargetBootSourceOverride"]
    if "BootNext" in checked:
        machine.boot_next = checked["BootNext"]
    if "BootOrder" in checked:
        machine.boot_order = checked["BootOrder"]
    if "HttpBootUri" in checked:
        machine.http_boot_uri = checked["HttpBootUri"]
    if "BootSourceOverrideMode" in checked:
        bmc = base.call().bmc
        bmc.drivers.get("systems").set_boot_mode(bmc.system_id, checked["BootSourceOverrideMode"])
    target = checked.get("BootSourceOverrideTarget", machine.override_target)
    machine.set_override(target, checked.get("BootSourceOverrideEnabled"))


def _led(value: Any) -> Any:
    bmc = base.call().bmc
    base.choice(value, "IndicatorLED", LEDS)
    return lambda: bmc.drivers.get("indicators").set_indicator_state(bmc.system_id, value)


def register(app: flask.Flask) -> None:
    rendered = base.plain(app.view_functions["system_resource"])

    def system(identity: str) -> Any:
        if flask.request.method != "PATCH":
            return rendered(identity=identity)
        base.only(identity)
        state = base.call().bmc.drivers.get("manager_state")
        tag = base.setter(
            lambda value: base.text(value, "AssetTag", 64),
            lambda value: setattr(state, "asset_tag", value),
        )
        setters = {"Boot": _boot, "IndicatorLED": _led, "AssetTag": tag}
        shown = base.call().shown
        return base.patch(shown, setters, echo=False)

    app.view_functions["system_resource"] = base.responding(system)

    @base.route(app, f"{SYSTEMS}/<identity>/Actions/{RESET}", "POST")
    def reset(identity: str) -> Any:
        base.only(identity)
        data = base.given()
        kind = data.get("ResetType")
        if kind is None:
            raise refuse(400, "ActionParameterMissing", RESET, "ResetType", related="ResetType")
        if kind not in base.call().bmc.personality.reset_types:
            key = "ActionParameterValueNotInList"
            raise refuse(400, key, kind, "ResetType", RESET, related="ResetType")
        running = base.call()
        running.bmc.machine.reset(kind, running.now)
        return None
