"""VirtualMedia where the vendor has it, and the ways in which an image gets in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.services import base
from emulator.bmc.services.messages import refuse
from emulator.bmc.services.tasks import Task, Tasks, accepted
from emulator.bmc.shape import media_place

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

INSERT, EJECT = "VirtualMedia.InsertMedia", "VirtualMedia.EjectMedia"
_WRITABLE = ("Image", "Inserted", "WriteProtected", "UserName", "Password", "VerifyCertificate")


def _here(owner: str, identity: str) -> str:
    """The system's identity, by which the drivers know the drives. Raises 404 elsewhere."""
    bmc = base.call().bmc
    if f"{base.ROOT}/{owner}/{identity}/VirtualMedia" != media_place(bmc):
        raise base.missing()
    return bmc.system_id


def _insert(identity: str, device: str, upstream: Any) -> Any:
    bmc = base.call().bmc
    if bmc.personality.quirks.media_by_patch:
        raise base.missing()
    seconds = bmc.personality.quirks.media_task_seconds * bmc.fleet.spec.boot_scale
    if not seconds:
        return upstream(identity=identity, device=device)
    return _insert_later(bmc, identity, device, seconds)


def _insert_later(bmc: Bmc, identity: str, device: str, seconds: float) -> flask.Response:
    """202 with a task, at whose end the image is in."""
    data = base.given()
    base.required(data, "Image")
    # Checked now, by the driver, on a copy of what it knows; stored at the task's end.
    driver = bmc.drivers.get("vmedia")
    driver.check_image(identity, device, data["Image"])
    tasks: Tasks = base.state("tasks")
    running = base.call()
    target = f"{media_place(bmc)}/{device}/Actions/{INSERT}"
    task = tasks.start("Insert Media", running.now, seconds, target, {"Image": data["Image"]})
    protected = data.get("WriteProtected", True)
    bmc.fleet.later(
        bmc, running.now + seconds, lambda at: _finish(bmc, task, device, protected, at)
    )
    return accepted(task)


def _finish(bmc: Bmc, task: Task, device: str, protected: Any, at: float) -> None:
    if task.cancelled is not None:
        return
    image = task.payload["Image"]
    bmc.drivers.get("vmedia").insert_image(bmc.system_id, device, image, True, bool(protected))
    bmc.machine.insert(device, image, at)


def _eject(identity: str, device: str, upstream: Any) -> Any:
    if base.call().bmc.personality.quirks.media_by_patch:
        raise base.missing()
    return upstream(identity=identity, device=device)


def _patch(identity: str, device: str, upstream: Any) -> Any:
    """PATCH of a drive: the certificate's check, and with ``media_by_patch`` the image itself."""
    bmc = base.call().bmc
    if not bmc.personality.quirks.media_by_patch:
        return upstream(identity=identity, device=device)
    data = base.given()
    unknown = sorted(set(data) - set(_WRITABLE))
    if unknown:
        raise refuse(400, "PropertyUnknown", unknown[0], related=unknown[0])
    driver, now = bmc.drivers.get("vmedia"), base.call().now
    driver.get_device_name(identity, device)  # 404 for a drive that is not there
    if "VerifyCertificate" in data:
        verify = base.flag(data["VerifyCertificate"], "VerifyCertificate")
        driver.update_device_info(identity, device, verify=verify)
    if data.get("Image"):
        protected = base.flag(data.get("WriteProtected", True), "WriteProtected")
        inserted = base.flag(data.get("Inserted", True), "Inserted")
        image = driver.insert_image(identity, device, data["Image"], inserted, protected)
        if image:
            bmc.machine.insert(device, image, now)
    elif data.get("Inserted") is False or ("Image" in data and data["Image"] is None):
        driver.eject_image(identity, device)
        bmc.machine.eject(device, now)
    elif "VerifyCertificate" not in data:
        raise refuse(400, "NoOperation")
    base.call().changed()
    return base.call().shown()


_WAYS = {"insert": _insert, "eject": _eject, "patch": _patch}


def _view(owner: str, name: str, upstream: Any) -> Any:
    def view(identity: str, **arguments: str) -> Any:
        system = _here(owner, identity)
        if name in _WAYS:
            return _WAYS[name](system, arguments["device"], upstream)
        return upstream(identity=system, **arguments)

    return base.responding(view)


def register(app: flask.Flask) -> None:
    """Upstream's routes below Systems, and the same below Managers."""
    for rule in list(app.url_map.iter_rules()):
        if not rule.endpoint.startswith("VirtualMedia."):
            continue
        upstream = base.plain(app.view_functions[rule.endpoint])
        name = rule.endpoint.rpartition("virtual_media_")[2]
        app.view_functions[rule.endpoint] = _view("Systems", name, upstream)
        app.add_url_rule(
            rule.rule.replace("/Systems/", "/Managers/", 1),
            f"beskar7.managers.{rule.endpoint}",
            _view("Managers", name, upstream),
            methods=sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}),
        )
