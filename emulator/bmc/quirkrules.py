"""The refusals that quirks bring, decided on a request before it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.bmc.services.messages import Refused, message, refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.redfish import Request

INSERT, EJECT, RESET = "insert-media", "eject-media", "reset:"
_INSERT = "VirtualMedia.InsertMedia"
_OFF = ("ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi", "PowerCycle")
"""Resets that only a machine that is on can take."""


def check(bmc: Bmc, request: Request, now: float) -> None:
    """Raises :class:`Refused` where the BMC's quirks forbid this write."""
    quirks = bmc.personality.quirks
    action = request.meaning.action
    if now < bmc.refuses_until and _acts(action):
        wait = max(1, round(bmc.refuses_until - now))
        raise Refused(503, message("ServiceTemporarilyUnavailable", wait))
    if action == "set-boot":
        _check_boot(bmc, request, now)
    elif action.startswith(RESET) and quirks.reset_conflict:
        _check_reset(bmc, action.removeprefix(RESET))
    elif action == INSERT and request.method == "POST":
        _check_insert(bmc, request)
    elif action == EJECT and request.method == "POST":
        if quirks.eject_needs_body and not request.body:
            raise refuse(400, "MalformedJSON")
        if quirks.eject_empty_refused and not _holds(bmc, request.path):
            raise refuse(400, "NoOperation")


def done(bmc: Bmc, request: Request, status: int, now: float) -> None:
    """A write was answered: some BMCs want a rest now."""
    rest = bmc.personality.quirks.busy_after_write
    if rest and status < 300 and _acts(request.meaning.action):
        bmc.refuses_until = now + rest * bmc.fleet.spec.boot_scale


def _acts(action: str) -> bool:
    return action in ("set-boot", INSERT, EJECT) or action.startswith(RESET)


def _check_boot(bmc: Bmc, request: Request, now: float) -> None:
    quirks, machine = bmc.personality.quirks, bmc.machine
    boot = (request.meaning.data or {}).get("Boot")
    target = boot.get("BootSourceOverrideTarget") if isinstance(boot, dict) else None
    if quirks.boot_refused_in_post and machine.in_post(now):
        raise refuse(400, "UnableToModifyDuringSystemPOST", "Boot", related="Boot")
    if quirks.media_before_override and target in ("Cd", "UsbCd") and not machine.disc:
        name = "Boot/BootSourceOverrideTarget"
        raise refuse(400, "PropertyValueConflict", name, "VirtualMedia/Image", related=name)


def _check_reset(bmc: Bmc, kind: str) -> None:
    on = bmc.machine.power == "On"
    if (kind in ("On", "ForceOn") and on) or (kind in _OFF and not on):
        raise refuse(400, "InvalidOperationForSystemState")


def _check_insert(bmc: Bmc, request: Request) -> None:
    quirks = bmc.personality.quirks
    data = request.meaning.data or {}
    given = sorted({"Inserted", "WriteProtected"} & set(data))
    if quirks.media_options_refused and given:
        raise refuse(400, "ActionParameterUnknown", _INSERT, given[0], related=given[0])
    if quirks.transfer_protocol_required and "TransferProtocolType" not in data:
        name = "TransferProtocolType"
        raise refuse(400, "ActionParameterMissing", _INSERT, name, related=name)
    if quirks.insert_occupied_refused and _holds(bmc, request.path):
        raise refuse(400, "ResourceInUse")


def _holds(bmc: Bmc, path: str) -> bool:
    """Whether the drive of an action at ``path`` has an image."""
    device = path.partition("/VirtualMedia/")[2].partition("/")[0]
    return device in bmc.machine.media
