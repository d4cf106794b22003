"""Redfish around the application: what a request means, and what sushy-tools lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

if TYPE_CHECKING:
    from emulator.bmc.fleet import Bmc

JSON = "application/json"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"redfish", "redfish/v1"})
"""Readable without credentials, as DSP0266 demands: they tell a client where to go."""
VERSIONS = b'{"v1":"/redfish/v1/"}'
"""What ``/redfish`` answers (DSP0266); sushy-tools lacks it."""


class Headers(Protocol):
    """Request headers, found whatever their case (aiohttp's and requests' mappings both are)."""

    def get(self, key: str, /) -> str | None: ...


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class BadBody(ValueError):
    """The body is not a JSON object."""


@dataclass(slots=True)
class Request:
    """One HTTP request, as a BMC sees it. ``path`` is without query, as it came."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""
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


def unauthorized() -> Response:
    return error(
        401, "Incorrect username or password", {"WWW-Authenticate": 'Basic realm="Redfish"'}
    )


def timestamp(wall: float) -> str:
    """Seconds since the epoch as Redfish writes dates."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def prepare(request: Request, bmc: Bmc) -> tuple[bytes, str | None]:
    """The body to hand on, and ``BootSourceOverrideEnabled``, which sushy-tools ignores.

    Raises:
        BadBody: what would make the application fail instead of refusing.
    """
    meaning = request.meaning
    if meaning.malformed:
        raise BadBody("The request body must be a JSON object")
    if meaning.action != "set-boot":
        # Some handlers read the body without asking whether there is one.
        return request.body or (b"" if meaning is _READ else b"{}"), None
    data = meaning.data or {}
    boot = data["Boot"]
    if not isinstance(boot, dict):
        raise BadBody("Boot must be an object")
    enabled = boot.get("BootSourceOverrideEnabled")
    if enabled is None:
        return request.body, None
    if not isinstance(enabled, str):
        raise BadBody("BootSourceOverrideEnabled must be text")
    if boot.get("BootSourceOverrideTarget"):
        return request.body, enabled
    # sushy-tools refuses a PATCH that only switches the override on or off.
    boot = {**boot, "BootSourceOverrideTarget": bmc.machine.override_target}
    return orjson.dumps({**data, "Boot": boot}), enabled


def complete(path: str, answer: Response, bmc: Bmc, now: float, wall: float) -> Response:
    """The answer with what the application's templates lack."""
    status, headers, body = answer
    if status >= 400 and not body.startswith(b"{"):
        return error(status, body.decode("utf-8", "replace").strip() or "Request refused")
    parts = path.strip("/").split("/")
    patch = None
    if len(parts) == 2:
        patch = _root
    elif len(parts) == 4:
        patch = {"Systems": _system, "Managers": _manager}.get(parts[2])
    elif len(parts) == 6 and parts[4] == "EthernetInterfaces":
        patch = _interface
    if patch is None or status != 200 or not body:
        return answer
    data = orjson.loads(body)
    patch(data, bmc, now, wall)
    return Response(status, headers, orjson.dumps(data))


def _root(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    data["UUID"] = bmc.manager_uuid
    data["Vendor"] = bmc.personality.manufacturer
    data["Product"] = bmc.personality.bmc_model


def _system(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    machine, personality = bmc.machine, bmc.personality
    # BootProgress is of v1_13, CoreCount of v1_14, LastBootTimeSeconds of v1_18.
    data["@odata.type"] = "#ComputerSystem.v1_18_0.ComputerSystem"
    data["SystemType"] = "Physical"
    data.pop("Memory", None)  # A link to what sushy-tools does not have.
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
    boot["BootSourceOverrideTarget@Redfish.AllowableValues"].insert(0, "None")
    if boot.get("HttpBootUri") == "None":
        boot["HttpBootUri"] = None  # The template writes Python's None as text.
    reset = data["Actions"]["#ComputerSystem.Reset"]
    reset["ResetType@Redfish.AllowableValues"].append("PushPowerButton")
    state, since = machine.progress(now)
    progress = data["BootProgress"] = {
        "LastState": state,
        "LastStateTime": timestamp(wall - (now - since)),
    }
    if machine.boot is not None and machine.boot_finished:
        length = machine.boot.finishes - machine.boot.started
        progress["LastBootTimeSeconds"] = round(length, 3)


def _manager(data: dict[str, Any], bmc: Bmc, now: float, wall: float) -> None:
    data["ServiceEntryPointUUID"] = bmc.manager_uuid
    data["Description"] = f"{bmc.personality.manufacturer} {bmc.personality.bmc_model}"
    data["Model"] = bmc.personality.bmc_model
    data["FirmwareVersion"] = bmc.personality.bmc_firmware


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
