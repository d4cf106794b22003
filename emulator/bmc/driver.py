"""The sushy-tools drivers of one BMC: upstream's, holding their state on the instance.

Upstream's fake driver keeps its configuration on the class, takes the time from ``time.time`` and
its luck from the global ``random``. Here the machine (:mod:`emulator.bmc.machine`) has power, boot
and media; what else upstream's driver knows (identity, boot mode, secure boot, NICs) stays its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sushy_tools import error
from sushy_tools.emulator.resources import chassis as chassis_driver
from sushy_tools.emulator.resources import drives as drives_driver
from sushy_tools.emulator.resources import indicators as indicators_driver
from sushy_tools.emulator.resources import managers as managers_driver
from sushy_tools.emulator.resources import storage as storage_driver
from sushy_tools.emulator.resources import vmedia as vmedia_driver
from sushy_tools.emulator.resources import volumes as volumes_driver
from sushy_tools.emulator.resources.systems.fakedriver import FakeDriver

from emulator.bmc.call import CURRENT
from emulator.bmc.services import STATES, hardware
from emulator.bmc.services.updates import Updates

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

log = logging.getLogger(__name__)
IMAGE_SCHEMES = ("http", "https", "ftp", "nfs", "cifs")


class SystemsDriver(FakeDriver):  # type: ignore[misc]  # sushy-tools has no types
    """The one system behind a BMC."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._logger = log
        self._config = {
            "SUSHY_EMULATOR_FAKE_SYSTEMS": [
                {
                    "uuid": bmc.system_id,
                    "name": bmc.name,
                    "power_state": "",
                    "external_notifier": False,
                    "nics": [{"mac": bmc.mac, "ip": bmc.ip}],
                }
            ]
        }
        super().__init__()
        # Upstream has copied it; ten thousand BMCs need it once.
        del self._config

    @property
    def driver(self) -> str:
        return "<beskar7-fleet>"

    def get_power_state(self, identity: str) -> str:
        self._get(identity)
        return self._bmc.machine.shown_power(CURRENT.get().now)

    def set_power_state(self, identity: str, state: str | None) -> None:
        self._get(identity)
        self._bmc.machine.reset(state, CURRENT.get().now)

    def get_boot_device(self, identity: str) -> str:
        self._get(identity)
        return self._bmc.machine.override_target

    def set_boot_device(self, identity: str, boot_source: str) -> None:
        self._get(identity)
        self._bmc.machine.set_override(boot_source, None)

    def set_boot_mode(self, identity: str, boot_mode: str) -> None:
        if boot_mode not in ("UEFI", "Legacy"):
            raise error.BadRequest(
                f"BootSourceOverrideMode must be UEFI or Legacy, not {boot_mode!r}"
            )
        super().set_boot_mode(identity, boot_mode)
        self._bmc.machine.boot_mode = boot_mode

    def set_boot_image(
        self,
        identity: str,
        device: str,
        boot_image: str | None = None,
        write_protected: bool = True,
    ) -> None:
        self._get(identity)
        machine, now = self._bmc.machine, CURRENT.get().now
        if boot_image:
            machine.insert(device, boot_image, now)
        else:
            machine.eject(device, now)

    def get_http_boot_uri(self, identity: str) -> str | None:
        return self._bmc.machine.http_boot_uri

    def set_http_boot_uri(self, uri: str | None) -> None:
        self._bmc.machine.http_boot_uri = uri

    def get_total_memory(self, identity: str) -> int:
        return self._bmc.spec.memory_gib

    def get_total_cpus(self, identity: str) -> int:
        return self._bmc.personality.sockets

    def get_versions(self, identity: str) -> dict[str, str]:
        self._get(identity)
        updates: Updates = self._bmc.drivers.get("updates")
        return {"BiosVersion": updates.versions["BIOS"]}

    def get_bios(self, identity: str) -> dict[str, str]:
        """The attributes; that there are any makes the System link to them."""
        self._get(identity)
        current: dict[str, str] = self._bmc.drivers.get("bios_settings").current
        return current

    def get_simple_storage_collection(self, identity: str) -> dict[str, dict[str, Any]]:
        self._get(identity)
        return {
            hardware.CONTROLLER: {
                "Id": hardware.CONTROLLER,
                "Name": "NVMe Controller",
                "DeviceList": [
                    {"Name": f"SSD {index}", "CapacityBytes": hardware.DRIVE_BYTES}
                    for index in range(hardware.DRIVES)
                ],
            }
        }

    def get_processors(self, identity: str) -> list[int]:
        """As many as there are; :mod:`emulator.bmc.services.hardware` says what they are."""
        self._get(identity)
        return list(range(self._bmc.personality.sockets))


class MediaDriver(vmedia_driver.StaticDriver):  # type: ignore[misc]  # sushy-tools has no types
    """Virtual media without a download: a URL is as good as the image for who only boots it."""

    def __init__(self, bmc: Bmc) -> None:
        devices = {
            device.id: {"Name": device.name, "MediaTypes": list(device.types)}
            for device in bmc.personality.media
        }
        super().__init__({"SUSHY_EMULATOR_VMEDIA_DEVICES": devices}, log)
        self._system = bmc.system_id
        self._keeps_image = bmc.personality.quirks.stale_image

    def _get_device(self, identity: str, device: str) -> dict[str, Any]:
        # Upstream resets every device of the system when it is asked for one that it has not.
        if identity != self._system or device not in self._device_types:
            raise error.NotFound(f"No virtual media device {device} at system {identity}")
        found: dict[str, Any] = super()._get_device(identity, device)
        return dict(found)

    def check_image(self, identity: str, device: str, image_url: object) -> str:
        """The URL. Raises 404 for a drive that is not there, 400 for what is no URL of an image."""
        self._get_device(identity, device)
        if not isinstance(image_url, str) or urlsplit(image_url).scheme not in IMAGE_SCHEMES:
            raise error.BadRequest(f"Image must be a URL ({', '.join(IMAGE_SCHEMES)})")
        return image_url

    def insert_image(
        self,
        identity: str,
        device: str,
        image_url: object,
        inserted: bool = True,
        write_protected: bool = True,
        username: str | None = None,
        password: str | None = None,
    ) -> str | None:
        """The URL, in place of a path: it becomes the machine's boot image."""
        image_url = self.check_image(identity, device, image_url)
        info = self._get_device(identity, device)
        info |= {
            "Image": image_url,
            "ImageName": urlsplit(image_url).path.rpartition("/")[2] or "image.iso",
            "Inserted": bool(inserted),
            "WriteProtected": bool(write_protected),
            "UserName": username or "",
            "Password": password or "",
        }
        self._devices[(identity, device)] = info
        return image_url if inserted else None

    def eject_image(self, identity: str, device: str) -> None:
        """Out with it; what is no longer inserted some BMCs go on to show."""
        info = self._get_device(identity, device)
        if not self._keeps_image:
            info |= {"Image": "", "ImageName": ""}
        info |= {"Inserted": False, "WriteProtected": False, "UserName": "", "Password": ""}
        self._devices[(identity, device)] = info


class ChassisDriver(chassis_driver.StaticDriver):  # type: ignore[misc]  # sushy-tools has no types
    """The chassis of whichever BMC is being asked. Upstream's has one UUID in every emulator."""

    @property
    def chassis(self) -> list[str]:
        return [CURRENT.get().bmc.chassis_id]

    def uuid(self, identity: str) -> str:
        """The chassis' identity, by which upstream links to it. Raises 404 for another's."""
        if identity not in self.chassis:
            raise error.NotFound(f"No chassis {identity}")
        return identity

    def name(self, identity: str) -> str:
        return "Chassis"


class ManagersDriver(managers_driver.FakeDriver):  # type: ignore[misc]  # sushy-tools has no types
    """The BMC itself. Upstream has one clock for all managers, and identities of systems."""

    def __init__(self, bmc: Bmc, systems: SystemsDriver, chassis: ChassisDriver) -> None:
        super().__init__({}, log, systems, chassis)
        self._bmc = bmc

    @property
    def managers(self) -> list[str]:
        return [self._bmc.manager_id]

    def get_manager(self, identity: str) -> dict[str, str]:
        """Identities; ``UUID`` is what upstream makes the path of. Raises 404 for another's."""
        ident = self._bmc.manager_id
        if identity != ident:
            raise error.NotFound(f"No manager {identity}")
        return {"Id": ident, "UUID": ident, "Name": f"{self._bmc.name}-Manager"}

    def get_managed_systems(self, manager: object) -> list[str]:
        return [self._bmc.system_id]

    def get_managed_chassis(self, manager: object) -> list[str]:
        return [self._bmc.chassis_id]

    def get_managers_for_system(self, ident: str) -> list[str]:
        return [self._bmc.manager_id]

    def get_datetime(self) -> dict[str, str]:
        state = CURRENT.get().bmc.drivers.get("manager_state")
        return {"DateTime": state.date(CURRENT.get().wall), "DateTimeLocalOffset": state.offset}


class Drivers:
    """The eight drivers that the application asks for, each made when first needed."""

    __slots__ = ("_bmc", "_made")

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._made: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        driver = self._made.get(name)
        if driver is None:
            driver = self._made[name] = self._make(name)
        return driver

    def peek(self, name: str) -> Any:
        """The driver or state, or None while nobody has needed it."""
        return self._made.get(name)

    def forget(self, name: str) -> None:
        """Start anew when next needed."""
        self._made.pop(name, None)

    def _make(self, name: str) -> Any:
        if name in STATES:
            return STATES[name](self._bmc)
        if name == "systems":
            return SystemsDriver(self._bmc)
        if name == "vmedia":
            return MediaDriver(self._bmc)
        if name == "managers":
            return ManagersDriver(self._bmc, self.get("systems"), self.get("chassis"))
        if name == "chassis":
            return _CHASSIS
        # The System links to its storage; upstream answers 500 where none is configured.
        return _STATIC[name]({"SUSHY_EMULATOR_STORAGE": {self._bmc.system_id: []}}, log)


_CHASSIS = ChassisDriver({}, log)
"""The same for all: it keeps nothing, and ten thousand BMCs need it once."""
_STATIC = {
    "indicators": indicators_driver.StaticDriver,
    "storage": storage_driver.StaticDriver,
    "drives": drives_driver.StaticDriver,
    "volumes": volumes_driver.StaticDriver,
}
