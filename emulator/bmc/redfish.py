"""Redfish around the application: what a request means, and what sushy-tools lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from emulator.bmc.boot import OPTIONS
from emulator.bmc.machine import BOOT_TARGETS, OVERRIDES, RESET_TYPES

if TYPE_CHECKING:
    from emulator.bmc.fleet import Bmc

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


_READ = Meaning("get", "", None)


def _classify(request: Request) -> Meaning:
    if request.method in READS:
        return _READ
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
        return Meaning("patch", "", data, malformed)
    last = request.path.rstrip("/").rpartition("/")[2]
    if last == "ComputerSystem.Reset":
        return Meaning("reset", f"reset:{(data or {}).get('ResetType', '')}", data, malformed)
    if last == "VirtualMedia.InsertMedia":
        return Meaning("media", "insert-media", data, malformed)
    if last == "VirtualMedia.EjectMedia":
        return Meaning("media", "eject-media", data, malformed)
    if request.method == "PATCH" and data and "Boot" in data:
        return Meaning("patch", "set-boot", data, malformed)
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
    parts = path.strip("/").split("/")
    patch = None
    if len(parts) == 4:
        patch = {"Systems": _system, "Managers": _manager, "Chassis": _chassis}.get(parts[2])
    elif len(parts) == 6:
        patch = {"EthernetInterfaces": _interface, "VirtualMedia": _media}.get(parts[4])
    if patch is None or status != 200 or not body:
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
    state = bmc.drivers.peek("manager_state")
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
    boot["BootSourceOverrideTarget@Redfish.AllowableValues"] = list(BOOT_TARGETS)
    boot["BootSourceOverrideEnabled@Redfish.AllowableValues"] = list(OVERRIDES)
    boot["BootSourceOverrideMode@Redfish.AllowableValues"] = ["UEFI", "Legacy"]
    boot["HttpBootUri"] = machine.http_boot_uri
    boot["UefiTargetBootSourceOverride"] = machine.uefi_target
    boot["BootNext"] = machine.boot_next
    boot["BootOrder"] = list(machine.boot_order or OPTIONS)
    boot["BootOptions"] = {"@odata.id": f"{here}/BootOptions"}
    reset = data["Actions"]["#ComputerSystem.Reset"]
    reset["ResetType@Redfish.AllowableValues"] = list(RESET_TYPES)
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
    data["Manufacturer"] = bmc.personality.manufacturer
    data["Model"] = bmc.model
    data["SerialNumber"] = bmc.serial
    data["PowerState"] = bmc.machine.power
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
    data["ConnectedVia"] = "URI" if data["Image"] else "NotConnected"


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
