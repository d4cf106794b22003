"""UpdateService: SimpleUpdate as a task, at whose end the BMC reboots with the new firmware."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import flask

from emulator.bmc.services import base
from emulator.bmc.services.managers import reboot
from emulator.bmc.services.messages import refuse
from emulator.bmc.services.tasks import Task, Tasks, accepted

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

SERVICE = f"{base.ROOT}/UpdateService"
INVENTORY = f"{SERVICE}/FirmwareInventory"
ACTION = "UpdateService.SimpleUpdate"
TRANSFER = 240.0
"""Seconds of download and flash (assumption); a fleet's ``scale.boot`` shortens them."""
PROTOCOLS = ("HTTP", "HTTPS", "FTP", "NFS", "CIFS", "TFTP")
BIOS_VERSION = "2.10.0"
_VERSION = re.compile(r"\d+(?:\.\d+)+")


class Updates:
    """The firmware of one machine: the BMC's, and the BIOS's, which needs a boot to change."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self.versions = {"BMC": bmc.personality.bmc_firmware, "BIOS": BIOS_VERSION}
        self.staged: str | None = None
        """The BIOS version from the next boot on."""
        self.running: Task | None = None

    def finish(self, task: Task, part: str, version: str, at: float) -> None:
        """What the task does at its end, unless it was cancelled."""
        if task.ends is None:
            return  # A fault holds it up; who waits may cancel it.
        self.running = None
        if task.cancelled is not None:
            return
        self._bmc.fleet.note(self._bmc.name, at, "firmware-updated", f"{part} {version}")
        if part == "BIOS":
            self.staged = version
            return
        self.versions["BMC"] = version
        reboot(self._bmc, at, "firmware update")

    def booted(self, at: float) -> None:
        """A boot brings the staged BIOS into use."""
        if self.staged is not None:
            self.versions["BIOS"], self.staged = self.staged, None


def new_version(image: str, old: str) -> str:
    """The version in the image's name; where there is none, one more than the old one."""
    found = _VERSION.search(urlsplit(image).path.rpartition("/")[2])
    if found:
        return found.group()
    head, _, last = old.rpartition(".")
    return f"{head}.{int(last) + 1}" if last.isdecimal() else f"{old}.1"


def _part(targets: Any) -> str:
    """BMC or BIOS. Raises 400 for a target that this BMC has not."""
    if targets in (None, []):
        return "BMC"
    bmc = base.call().bmc
    known = {
        f"{INVENTORY}/BMC": "BMC",
        f"{base.ROOT}/Managers/{bmc.manager_id}": "BMC",
        f"{INVENTORY}/BIOS": "BIOS",
        f"{base.ROOT}/Systems/{bmc.system_id}": "BIOS",
    }
    if not isinstance(targets, list):
        raise refuse(400, "PropertyValueTypeError", targets, "Targets", related="Targets")
    parts = {known.get(str(target).rstrip("/")) for target in targets}
    part = parts.pop()
    if parts or part is None:
        key = "ActionParameterValueNotInList"
        raise refuse(400, key, targets, "Targets", ACTION, related="Targets")
    return part


def _image(data: dict[str, Any]) -> str:
    if data.get("ImageURI") is None:
        raise refuse(400, "ActionParameterMissing", ACTION, "ImageURI", related="ImageURI")
    image = base.text(data["ImageURI"], "ImageURI", 2048, 1)
    protocol = data.get("TransferProtocol")
    scheme = urlsplit(image).scheme
    if scheme.upper() not in PROTOCOLS and not (protocol in PROTOCOLS and not scheme):
        key = "ActionParameterValueFormatError"
        raise refuse(400, key, image, "ImageURI", ACTION, related="ImageURI")
    if protocol is not None:
        base.choice(protocol, "TransferProtocol", PROTOCOLS)
    return image


def register(app: flask.Flask) -> None:
    @base.route(app, SERVICE)
    def update_service() -> Any:
        action = {
            "target": f"{SERVICE}/Actions/{ACTION}",
            "TransferProtocol@Redfish.AllowableValues": list(PROTOCOLS),
        }
        return base.resource(
            SERVICE,
            "UpdateService.v1_11_0",
            "UpdateService",
            "Update Service",
            ServiceEnabled=True,
            Status=base.OK,
            FirmwareInventory=base.link(INVENTORY),
            Actions={f"#{ACTION}": action},
        )

    @base.route(app, f"{SERVICE}/Actions/{ACTION}", "POST")
    def simple_update() -> Any:
        data = base.given()
        image, part = _image(data), _part(data.get("Targets"))
        updates: Updates = base.state("updates")
        last = updates.running
        if last is not None and last.ends is None and last.cancelled is not None:
            updates.running = None
        if updates.running is not None:
            raise refuse(503, "ServiceTemporarilyUnavailable", 30)
        tasks: Tasks = base.state("tasks")
        running = base.call()
        bmc = running.bmc
        seconds = TRANSFER * bmc.fleet.spec.boot_scale
        # The password of the image's server is no part of a task that anybody may read.
        payload: dict[str, Any] = {
            name: data[name] for name in ("ImageURI", "Targets") if name in data
        }
        target = f"{SERVICE}/Actions/{ACTION}"
        task = tasks.start("Firmware Update", running.now, seconds, target, payload)
        version = new_version(image, updates.versions[part])
        updates.running = task
        bmc.fleet.later(
            bmc, running.now + seconds, lambda at: updates.finish(task, part, version, at)
        )
        return accepted(task)

    @base.route(app, INVENTORY)
    def inventory() -> Any:
        updates: Updates = base.state("updates")
        paths = [f"{INVENTORY}/{part}" for part in updates.versions]
        return base.collection(INVENTORY, "SoftwareInventory", "Firmware Inventory", paths)

    @base.route(app, f"{INVENTORY}/<ident>")
    def firmware(ident: str) -> Any:
        updates: Updates = base.state("updates")
        if ident not in updates.versions:
            raise base.missing()
        bmc = base.call().bmc
        owner = f"Managers/{bmc.manager_id}" if ident == "BMC" else f"Systems/{bmc.system_id}"
        related = base.link(f"{base.ROOT}/{owner}")
        return base.resource(
            f"{INVENTORY}/{ident}",
            "SoftwareInventory.v1_10_0",
            ident,
            f"{ident} Firmware",
            Version=updates.versions[ident],
            Updateable=True,
            SoftwareId=ident,
            Status=base.OK,
            RelatedItem=[related],
        ) | {"RelatedItem@odata.count": 1}
