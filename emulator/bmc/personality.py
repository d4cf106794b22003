"""Vendors as data: identity, resources, boot, limits, times and quirks.

The files are ``personalities/*.yaml``; docs/personalities.md describes them, and
:mod:`emulator.bmc.personalityfile` reads them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.bmc.machine import BOOT_TARGETS, RESET_TYPES, Ways
from emulator.bmc.quirks import Quirks
from emulator.latency import Latency

# Kind of request: the kind whose latency it has where a personality gives none.
OPERATIONS: dict[str, str] = {
    "get": "",
    "system": "get",
    "collection": "get",
    "patch": "",
    "boot": "patch",
    "session": "patch",
    "reset": "",
    "media": "",
}
UUID = "{uuid}"
"""As an identity: the machine's own UUID."""
OPTICAL = frozenset({"CD", "DVD"})
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class MediaDevice:
    """A virtual drive; ``types`` as VirtualMedia's MediaTypes has them."""

    id: str
    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a BMC takes at one time. ``session_timeout`` and ``retry_after`` in seconds.

    ``requests`` 0: no limit. ``retry_after`` 0: the refusal does not say when to try again.
    """

    sessions: int = 16
    session_timeout: int = 1800
    session_refusal: int = 503
    requests: int = 0
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Personality:
    """One vendor's machine with one firmware. Latencies and durations in seconds of a real one."""

    vendor: str
    bmc_firmware: str
    manufacturer: str
    models: tuple[str, ...]
    serial: str
    bmc_model: str
    system_id: str
    manager_id: str
    chassis_id: str
    cores: int
    memory_gib: int
    sockets: int
    media_under: str
    """Who lists the drives: System, Manager, or Both (the Manager links to the System's)."""
    media: tuple[MediaDevice, ...]
    power_on: Latency
    power_off: Latency
    shutdown: Latency
    boot: Latency
    phases: tuple[tuple[float, str], ...]
    latency: Mapping[str, Latency]
    limits: Limits = field(default_factory=Limits)
    quirks: Quirks = field(default_factory=Quirks)
    absent: frozenset[str] = frozenset()
    """Sub-resources of a System that this vendor has not."""
    oem: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By System and Manager: what is in Oem. ``{post}`` stands for one of ``post_words``."""
    post_words: Mapping[str, str] = field(default_factory=dict)
    """The vendor's word for a machine that is off, in POST, or done with it."""
    boot_targets: tuple[str, ...] = BOOT_TARGETS
    boot_ignored: frozenset[str] = frozenset()
    """Targets that are accepted, and that the machine does not boot from."""
    boot_progress: bool = True
    kernel_arguments: str = ""
    """The BIOS attribute whose text the firmware hands to the kernel; empty: it has none."""
    reset_types: tuple[str, ...] = RESET_TYPES
    sources: Mapping[str, str] = field(default_factory=dict)
    """By section of the file: where its figures come from."""

    def ways(self, scale: float) -> Ways:
        """What of it concerns the machine; ``scale`` is the fleet's for boots."""
        optical = tuple(device.id for device in self.media if OPTICAL & set(device.types))
        return Ways(
            optical=optical,
            ignored=self.boot_ignored,
            keeps_override=self.quirks.override_survives_warm_reset,
            power_lag=self.quirks.power_state_lag * scale,
        )

    def latency_of(self, operation: str) -> Latency:
        """The latency of a kind of request; that of its wider kind where it has none."""
        found = self.latency.get(operation)
        return found if found is not None else self.latency[OPERATIONS[operation]]

    def model_of(self, name: str) -> str:
        return self.models[_digest("model", name) % len(self.models)]

    def serial_of(self, name: str) -> str:
        """The serial number: the same for the same name, in the vendor's format."""
        rest = _digest("serial", name)
        serial = ""
        for char in self.serial:
            letters = {"@": _LETTERS, "#": _DIGITS, "*": _LETTERS + _DIGITS}.get(char)
            if letters is None:
                serial += char
            else:
                rest, index = divmod(rest, len(letters))
                serial += letters[index]
        return serial


@dataclass(frozen=True, slots=True)
class Family:
    """A vendor's machines: the same personality with each of its firmware versions."""

    vendor: str
    variants: tuple[Personality, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(variant.bmc_firmware for variant in self.variants)

    def of(self, host: str, firmware: str = "") -> Personality:
        """The host's personality: that of its firmware, or of the one that its name falls on.

        Raises:
            KeyError: no variant has this firmware.
        """
        if not firmware:
            return self.variants[_digest("firmware", host) % len(self.variants)]
        for variant in self.variants:
            if variant.bmc_firmware == firmware:
                return variant
        raise KeyError(firmware)


def _digest(purpose: str, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{purpose}/{name}".encode(), digest_size=16).digest())
