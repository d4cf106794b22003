"""One BMC of a fleet: its identity, its machine, its sushy-tools drivers."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections import deque
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from emulator.bmc.driver import Drivers
from emulator.bmc.faults.boots import mishap
from emulator.bmc.machine import Machine
from emulator.bmc.personality import UUID
from emulator.bmc.spec import HostSpec
from emulator.bmc.timing import Timing

if TYPE_CHECKING:
    from emulator.bmc.fleet import Fleet

POWERS_KEPT = 64
"""Changes of power remembered of one machine, for answers that are late by some seconds."""
_UUIDS = uuid.UUID("6d0f7d4e-6c6a-5f0c-9a4b-b7e5ca770001")
"""Namespace of the machines' UUIDs; arbitrary, and never to be changed."""


class Bmc:
    """One BMC: its identity, its machine, its sushy-tools drivers."""

    __slots__ = (
        *("busy_until", "chassis_id", "clock_ahead", "down_by", "down_until", "drivers", "fleet"),
        *("in_flight", "ip", "mac", "machine", "manager_id", "model", "name", "personality"),
        *("powers", "refuses_until", "rotated", "serial", "spec", "system_id"),
        *("timing", "token", "uuid", "uuids", "version", "watched"),
    )

    def __init__(self, fleet: Fleet, index: int, spec: HostSpec, token: bytes) -> None:
        self.fleet = fleet
        self.spec = spec
        self.name = spec.name
        self.token = token
        """Credentials of HTTP Basic of the fleet's own account; whoever changes them, here."""
        self.busy_until = 0.0
        """When the last of the actions that came so far is done."""
        self.down_until = 0.0
        """Until then the BMC reboots, and nobody can reach it."""
        self.down_by = ""
        """Id of the fault that it is down by; empty where a client asked for it."""
        self.clock_ahead = 0.0
        """Seconds by which a fault sets the BMC's clock ahead."""
        self.powers: deque[tuple[float, str]] = deque([(-math.inf, spec.power)], POWERS_KEPT)
        """Power states with the times from which on they were so."""
        self.rotated: dict[str, tuple[bytes, bytes]] = {}
        """Credentials before and after, by the fault that rotated them."""
        self.refuses_until = 0.0
        """Until then the BMC takes no further write (quirk ``busy_after_write``)."""
        self.in_flight = 0
        """Requests that it works on."""
        self.personality = fleet.spec.personalities[spec.vendor].of(spec.name, spec.firmware)
        self.uuid = str(uuid.uuid5(_UUIDS, spec.name))
        self.uuids = self.uuid, str(uuid.uuid5(_UUIDS, f"{spec.name}/chassis"))
        """The machine's and its chassis', which resources may be called by."""
        self.system_id = self._identity(self.personality.system_id, self.uuid)
        self.manager_id = self._identity(self.personality.manager_id, self.uuid)
        self.chassis_id = self._identity(self.personality.chassis_id, self.chassis_uuid)
        self.model = self.personality.model_of(spec.name)
        self.serial = self.personality.serial_of(spec.name)
        self.mac = _mac(spec.name)
        self.ip = f"10.20.{index // 250}.{index % 250 + 2}"
        self.timing = Timing(
            self.personality,
            fleet.runtime,
            spec.name,
            fleet.spec.boot_scale,
            fleet.spec.latency_scale,
        )
        self.machine = Machine(
            self.timing,
            lambda time, kind, detail: fleet.note(spec.name, time, kind, detail),
            spec.power,
            fleet.runtime.now(),
            self.personality.ways(fleet.spec.boot_scale),
        )
        self.machine.mishap = partial(mishap, self)
        self.drivers = Drivers(self)
        self.machine.firmware = self._settings_in_force
        self.version = 0
        """Counts what may have changed an answer."""
        self.watched: float | None = None
        """The earliest time for which the fleet has an entry of this machine."""

    def _settings_in_force(self, at: float) -> str:
        """A boot begins: pending BIOS settings hold from now on; their kernel arguments."""
        settings = self.drivers.peek("bios_settings")
        return "" if settings is None else str(settings.booted(at))

    @staticmethod
    def _identity(wanted: str, own: str) -> str:
        return own if wanted == UUID else wanted

    @property
    def manager_uuid(self) -> str:
        return _manager_uuid(self.name)

    @property
    def chassis_uuid(self) -> str:
        return self.uuids[1]

    @property
    def firmware(self) -> str:
        """The version that the BMC runs by now."""
        updates = self.drivers.peek("updates")
        return updates.versions["BMC"] if updates else self.personality.bmc_firmware

    def power_at(self, time: float) -> str:
        """The power state at a time, as far back as it is remembered."""
        return next((power for at, power in reversed(self.powers) if at <= time), self.powers[0][1])


@lru_cache(maxsize=16_384)
def _manager_uuid(name: str) -> str:
    return str(uuid.uuid5(_UUIDS, f"{name}/manager"))


def _mac(name: str) -> str:
    """The same for the same name; 02 marks a locally administered address, which is nobody's."""
    digest = hashlib.blake2b(f"mac/{name}".encode(), digest_size=5).digest()
    return ":".join(f"{octet:02x}" for octet in b"\x02" + digest)
