"""Redfish around the application: what a request means, and what sushy-tools lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from emulator.bmc import shape
from emulator.bmc.boot import OPTIONS
from emulator.bmc.machine import OVERRIDES

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

JSON = "application/json"
READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Headers(Protocol):
    """Request headers, found whatever their case (aiohttp's and requests' mappings both are)."""

    def get(self, key: str, /) -> str | None: ...


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Request:
    """One HTTP request, as a BMC sees it. ``path`` is without query, as it came."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""
    query: str = ""
    """What follows the question mark, as it came."""
    _meaning: Meaning | None = field(default=None, repr=False)

    @property
    def meaning(self) -> Meaning:
        if self._meaning is None:
            self._meaning = _classify(self)
        return self._meaning


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a request asks for: the kind that decides its latency, and the action for the log."""

    operation: str
    action: str
    data: dict[str, Any] | None
    """The body; None where it is empty or no JSON object."""
    malformed: bool = False


_READS = {name: Meaning(name, "", None) for name in ("get", "system", "collection")}
_COLLECTIONS = frozenset(
    (
        *("Accounts", "BootOptions", "Certificates", "Chassis", "Entries", "EthernetInterfaces"),
        *("FirmwareInventory", "LogServices", "Managers", "Memory", "Members", "NetworkAdapters"),
        *("NetworkInterfaces", "Processors", "Registries", "Roles", "Sessions", "SimpleStorage"),
        *("Storage", "Subscriptions", "Systems", "Tasks", "VirtualMedia", "Volumes"),
    )
)
"""Last words of the paths of collections."""


def read_kind(path: str) -> str:
    """Which kind of read this is, for its latency: system, collection or get."""
    parts = path.strip("/").split("/")
    if parts[-1] in _COLLECTIONS:
        return "collection"
    return "system" if len(parts) == 4 and parts[2] == "Systems" else "get"


def _classify(request: Request) -> Meaning:
    if request.method in READS:
        return _READS[read_kind(request.path)]
    data, malformed = None, False
    if request.body:
        try:
            data = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            malformed = True
        if not isinstance(data, dict):
            data, malformed = None, True
    if request.path.startswith("/redfish/v1/SessionService/"):
        # Logging in and out is part of asking, and does nothing to the machine.
        return Meaning("session", "", data, malformed)
    last = request.path.rstrip("/").rpartition("/")[2]
    if last == "ComputerSystem.Reset":
        return Meaning("reset", f"reset:{(data or {}).get('ResetType', '')}", data, malformed)
    if last == "VirtualMedia.InsertMedia":
        return Meaning("media", "insert-media", data, malformed)
    if last == "VirtualMedia.EjectMedia":
        return Meaning("media", "eject-media", data, malformed)
    if request.method == "PATCH" and data and "Boot" in data:
        return Meaning("boot", "set-boot", data, malformed)
    if request.method == "PATCH" and "/VirtualMedia/" in request.path and data:
        # Where there is no action, the image is a property.
        if data.get("Image"):
            return Meaning("media", "insert-media", data, malformed)
        if data.get("Inserted") is False or "Image" in data:
            return Meaning("media", "eject-media", data, malformed)
    return Meaning("patch", request.method.lower(), data, malformed)


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A Redfish error body."""
    info = {
        "@odata.type": "#Message.v1_1_1.Message",
        "MessageId": "Base.1.0.GeneralError",
        "Message": message,
    }
    body = {
        "error": {
            "code": "Base.1.0.GeneralError",
            "message": message,
            "@Message.ExtendedInfo": [info],
        }
    }
    return Response(status, {"Content-Type": JSON, **(headers or {})}, orjson.dumps(body))


def timestamp(wall: float) -> str:
    """Seconds since the epoch as Redfish writes dates."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def complete(
    path: str, answer: Response, bmc: Bmc, now: float, wall: float
) -> tuple[Response, dict[str, Any] | None]:
    """The answer with what the application's templates lack.

    Where that is something in the body, the body is not written anew: the resource comes beside.
    """
    status, _, body = answer
    if status >= 400 and not body.startswith(b"{"):
        return error(status, body.decode("utf-8", "replace").strip() or "Request refused"), None
    if status != 200 or not body:
        return answer, None
    parts = path.strip("/").split("/")
    if "VirtualMedia" in parts:
        body = shape.moved(bmc, body)
        answer = answer._replace(body=body)
    if bmc.personality.quirks.members_unordered and b'"Members"' in body:
        return answer, shape.shuffled(orjson.loads(body), bmc.version)
    patch = None
    if len(parts) == 4:
        patch = {"Systems": _system, "Managers": _manager, "Chassis": _chassis}.get(parts[2])
    elif len(parts) == 6:
        patch = {"EthernetInterfaces": _interface, "VirtualMedia": _media}.get(parts[4])
    if patch is None:
        return answer, None
    data = orjson.loads(body)
    patch(data, bmc, now, wall)
    return answer, data


def _system(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    machine, personality = bmc.machine, bmc.personality
    # BootProgress is of v1_13, CoreCount of v1_14, LastBootTimeSeconds of v1_18.
    data["@odata.type"] = "#ComputerSystem.v1_18_0.ComputerSystem"
    data["SystemType"] = "Physical"
    here = data["@odata.id"]
    for name in ("Memory", "NetworkInterfaces", "LogServices"):
        data[name] = {"@odata.id": f"{here}/{name}"}
    for name in personality.absent:
        data.pop(name, None)
    state = bmc.drivers.peek("manager_state")
    if personality.media_under == "Manager":
        data.pop("VirtualMedia", None)
    data["UUID"] = bmc.uuid
    data["AssetTag"] = state.asset_tag if state else ""
    data["HostName"] = bmc.name
    data["Manufacturer"] = personality.manufacturer
    data["Model"] = bmc.model
    data["SerialNumber"] = bmc.serial
    data["Status"] = {"State": "Enabled", "Health": "OK", "HealthRollup": "OK"}
    processors = data["ProcessorSummary"]
    processors["Count"] = personality.sockets
    processors["CoreCount"] = bmc.spec.cores
    processors["LogicalProcessorCount"] = 2 * bmc.spec.cores
    boot = data["Boot"]
    boot["BootSourceOverrideEnabled"] = machine.override_enabled
    boot["BootSourceOverrideTarget@Redfish.AllowableValues"] = list(personality.boot_targets)
    boot["BootSourceOverrideEnabled@Redfish.AllowableValues"] = list(OVERRIDES)
    boot["BootSourceOverrideMode@Redfish.AllowableValues"] = ["UEFI", "Legacy"]
    for name, target, value in (
        ("HttpBootUri", "UefiHttp", machine.http_boot_uri),
        ("UefiTargetBootSourceOverride", "UefiTarget", machine.uefi_target),
        ("BootNext", "UefiBootNext", machine.boot_next),
    ):
        boot.pop(name, None)
        if target in personality.boot_targets:
            boot[name] = value
    if "BootOptions" not in personality.absent:
        boot["BootOrder"] = list(machine.boot_order or OPTIONS)
        boot["BootOptions"] = {"@odata.id": f"{here}/BootOptions"}
    reset = data["Actions"]["#ComputerSystem.Reset"]
    reset["ResetType@Redfish.AllowableValues"] = list(personality.reset_types)
    shape.add_oem(data, "System", bmc)
    if not personality.boot_progress:
        return
    state, since = machine.progress(now)
    progress = data["BootProgress"] = {
        "LastState": state,
        "LastStateTime": timestamp(wall - (now - since)),
    }
    if machine.boot is not None and machine.boot_finished:
        length = machine.boot.finishes - machine.boot.started
        progress["LastBootTimeSeconds"] = round(length, 3)


def _manager(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    personality = bmc.personality
    data["@odata.type"] = "#Manager.v1_19_0.Manager"
    data["ServiceEntryPointUUID"] = bmc.manager_uuid
    data["Description"] = f"{personality.manufacturer} {personality.bmc_model}"
    data["Model"] = personality.bmc_model
    updates = bmc.drivers.peek("updates")
    data["FirmwareVersion"] = updates.versions["BMC"] if updates else personality.bmc_firmware
    data["UUID"] = bmc.manager_uuid
    if personality.media_under == "System":
        data.pop("VirtualMedia", None)
    else:
        data["VirtualMedia"] = {"@odata.id": shape.media_place(bmc)}
    shape.add_oem(data, "Manager", bmc)
    data["Manufacturer"] = personality.manufacturer
    here = data["@odata.id"]
    for name in ("EthernetInterfaces", "LogServices", "NetworkProtocol"):
        data[name] = {"@odata.id": f"{here}/{name}"}
    data["Actions"] = {
        "#Manager.Reset": {
            "target": f"{here}/Actions/Manager.Reset",
            "ResetType@Redfish.AllowableValues": ["ForceRestart", "GracefulRestart"],
        }
    }


def _chassis(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    data["UUID"] = bmc.chassis_uuid
    data["Manufacturer"] = bmc.personality.manufacturer
    data["Model"] = bmc.model
    data["SerialNumber"] = bmc.serial
    data["PowerState"] = bmc.machine.shown_power(now)
    data["ChassisType"] = "RackMount"
    for name in ("AssetTag", "SKU", "PartNumber"):
        data.pop(name, None)
    data["Location"] = {"Placement": {"Rack": bmc.spec.rack}}
    for name in ("Power", "NetworkAdapters"):
        data[name] = {"@odata.id": f"{data['@odata.id']}/{name}"}


def _media(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    """Null, not the empty text, says that nothing is there; a password is never shown."""
    for name in ("Image", "ImageName", "UserName"):
        data[name] = data[name] or None
    data["Password"] = None
    data["ConnectedVia"] = "URI" if data["Inserted"] else "NotConnected"
    quirks = bmc.personality.quirks
    if quirks.media_by_patch:
        del data["Actions"]
    if quirks.inserted_missing:
        del data["Inserted"]


def _interface(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    data["LinkStatus"] = "LinkUp"
    data["SpeedMbps"] = 25_000
    data["IPv4Addresses"] = [
        {
            "Address": bmc.ip,
            "SubnetMask": "255.255.0.0",
            "AddressOrigin": "DHCP",
            "Gateway": "10.20.0.1",
        }
    ]
