"""What the controller may ask of a BMC."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from beskar7.runtime import Deadline


class BmcError(Exception):
    """Root of what can go wrong with a BMC. ``reason`` is the condition reason it leads to.

    ``transient`` errors are worth another try without anybody changing anything.
    """

    reason = "RedfishQueryFailed"
    transient = True


class BmcUnreachable(BmcError):
    """No connection, no answer in time, or a torn one.

    ``lost_write``: it was a write that got no answer, so it may have been carried out, or will be.
    """

    reason = "RedfishConnectionFailed"

    def __init__(self, text: str, *, lost_write: bool = False) -> None:
        super().__init__(text)
        self.lost_write = lost_write


class BmcCredentialsRefused(BmcError):
    """401 or 403. Trying again with the same credentials locks accounts on some BMCs."""

    reason = "RedfishCredentialsRefused"
    transient = False


class BmcRequestRefused(BmcError):
    """Another 4xx: the BMC does not do what was asked."""

    transient = False


class BmcBusy(BmcError):
    """409, 429 or 503: not now. ``retry_after``: seconds that the BMC wants to be left alone."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class BmcFault(BmcError):
    """5xx, or an answer that is not Redfish."""


@dataclass(frozen=True, slots=True)
class HostAddress:
    type: str
    address: str


@dataclass(frozen=True, slots=True)
class Nic:
    """One Ethernet interface; ``mac`` as the BMC writes it."""

    name: str
    mac: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """What enrolment learns. Memory in GiB."""

    manufacturer: str
    model: str
    serial_number: str
    cpu_cores: int
    memory_gib: int
    health: str
    health_rollup: str
    state: str
    power: str
    addresses: tuple[HostAddress, ...] = ()
    nics: tuple[Nic, ...] = ()


@dataclass(frozen=True, slots=True)
class BootOverride:
    """A one-time boot, in Redfish's words.

    ``source``: BootSourceOverrideTarget. ``path``: for UefiTarget, loader and arguments.
    ``option``: for UefiBootNext, the BootOptionReference. ``mode``: UEFI or Legacy, set where the
    BMC offers a choice; empty: as it is.
    """

    source: str
    path: str = ""
    option: str = ""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class BiosAttribute:
    """A BIOS setting: what holds now, and what holds after the next reset."""

    current: str
    future: str


@dataclass(frozen=True, slots=True)
class SystemState:
    """What decides about power and boot. Empty strings where the BMC says nothing."""

    power: str
    boot_progress: str
    override_target: str
    override_enabled: str
    uefi_target: str = ""
    boot_next: str = ""
    mode: str = ""

    @property
    def on(self) -> bool:
        return self.power == "On"

    @property
    def one_time_boot_pending(self) -> bool:
        return self.override_enabled == "Once"

    def awaits(self, override: BootOverride) -> bool:
        """Whether the next boot is the one that ``override`` asks for."""
        return (
            self.one_time_boot_pending
            and self.override_target.removeprefix("Usb") == override.source
            and (not override.path or self.uefi_target == override.path)
            and (not override.option or self.boot_next == override.option)
            and (not override.mode or self.mode in ("", override.mode))
        )


@dataclass(frozen=True, slots=True)
class BmcTarget:
    """Whom to call. The password stays out of every representation."""

    address: str
    username: str
    password: str = field(repr=False)
    verify: bool = True


@dataclass(frozen=True, slots=True)
class CallContext:
    """In whose name and until when requests are sent.

    ``writing`` surrounds each request that changes something; entering it raises when the caller
    may no longer act (a deposed leader, a host that was given back).
    ``observe`` gets (operation, outcome, seconds) of each request for the metrics, ``powered``
    (ResetType, outcome) of each power action.
    """

    operation: str
    deadline: Deadline
    writing: Callable[[], AbstractContextManager[None]]
    observe: Callable[[str, str, float], None]
    powered: Callable[[str, str], None] = lambda action, outcome: None


class Bmc(Protocol):
    """One BMC, used by one task at a time. Every method raises :class:`BmcError`."""

    def inventory(self) -> Inventory: ...
    def system(self) -> SystemState: ...
    def power(self, reset_type: str) -> None:
        """``reset_type`` is Redfish's ResetType: On, ForceOff, ForceRestart..."""
        ...

    def boot_once(self, override: BootOverride) -> None:
        """Boot so at the next boot only."""
        ...

    def cd_boot_option(self) -> str:
        """The reference of the boot option that is the virtual CD; empty when none looks so."""
        ...

    def bios_attribute(self, name: str) -> BiosAttribute | None:
        """None when the BIOS, as the BMC shows it, has no such setting."""
        ...

    def set_bios_attribute(self, name: str, value: str) -> None:
        """Have the setting take effect at the next reset."""
        ...

    def boot_normally(self) -> None:
        """Withdraw a pending boot override."""
        ...

    def media(self) -> str:
        """URL of the image in the virtual CD or DVD, empty without one."""
        ...

    def insert_media(self, image: str) -> None: ...
    def eject_media(self) -> None: ...
    def close(self) -> None:
        """The operation is over; nothing may be called after it."""
        ...


class BmcConnector(Protocol):
    """Where BMCs come from."""

    def connect(self, target: BmcTarget, context: CallContext) -> Bmc: ...

    def cut(self) -> None:
        """Break off every call that is under way, and let none begin any more.

        For who may not touch BMCs from now on. What a BMC was told already it may still do.
        """
        ...
