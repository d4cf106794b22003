"""One server behind a BMC: power, boot and media, computed lazily from the clock.

Nothing ticks. A command stores what will happen and when; :meth:`Machine.advance` lets it happen
up to a given time, in order, at its true times. How often it is called changes nothing: the state
at a time is a function of the commands and of the machine's random stream.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sushy_tools import error

from emulator.bmc.boot import OPTIONS, UEFI_ONLY, Booted, uefi_target

BOOT_TARGETS = ("None", "Pxe", "Hdd", "Cd", "UsbCd", "UefiHttp", "UefiTarget", "UefiBootNext")
OVERRIDES = ("Disabled", "Once", "Continuous")
RESET_TYPES = (
    *("On", "ForceOff", "GracefulShutdown", "GracefulRestart", "ForceRestart", "Nmi"),
    *("ForceOn", "PushPowerButton", "PowerCycle"),
)
Emit = Callable[[float, str, str], None]
"""Called with time, event type and detail."""


class Durations(Protocol):
    """How long the hardware takes, in seconds; each call may be a random draw."""

    def power_on(self) -> float: ...
    def power_off(self) -> float: ...
    def shutdown(self) -> float: ...
    def boot(self) -> float: ...
    @property
    def phases(self) -> tuple[tuple[float, str], ...]:
        """Share of the boot that is over, and ``BootProgress.LastState`` from then on."""
        ...


@dataclass(frozen=True, slots=True)
class Ways:
    """How a vendor's machine differs. ``power_lag``: seconds for which the old power is shown."""

    optical: tuple[str, ...] = ("Cd",)
    """The virtual drives that a CD may be in, the first one first."""
    ignored: frozenset[str] = frozenset()
    """Boot targets that may be set and change nothing."""
    keeps_override: bool = False
    """A one-time override is spent by a boot from power-off only."""
    power_lag: float = 0.0


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot, running or done."""

    what: Booted
    started: float
    finishes: float
    stuck: float = math.inf
    """From then on nothing moves any more, until the next reset."""
    breaks_off: bool = False
    """It ends where it would go on to the boot device, and begins again."""
    cause: str = ""

    @property
    def detail(self) -> str:
        return str(self.what)


@dataclass(frozen=True, slots=True)
class Change:
    """A power change under way: ``On``, ``Off``, ``Restart`` or ``Cycle`` (off, then on)."""

    to: str
    at: float
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Mishap:
    """What befalls a boot. ``stuck``: the share of it that happens; ``cause``: a fault's id."""

    override_lost: bool = False
    breaks_off: bool = False
    stuck: float = math.inf
    cause: str = ""


SMOOTH = Mishap()


class _Instantly:
    """Durations of what is only rehearsed; nothing is drawn."""

    phases: tuple[tuple[float, str], ...] = ()

    def power_on(self) -> float:
        return 0.0

    power_off = shutdown = boot = power_on


_USUAL = Ways()


class Machine:
    """The hardware. Callers advance it to the present before they read or command it."""

    __slots__ = (
        *("_before_loss", "_durations", "_emit", "_ways", "boot", "boot_finished", "boot_mode"),
        *("boot_next", "boot_order", "cause", "firmware", "http_boot_uri", "mains", "media"),
        *("mishap", "override_enabled", "override_target", "pending", "rehearsing"),
        *("power", "power_before", "power_since", "uefi_target"),
    )

    def __init__(
        self, durations: Durations, emit: Emit, power: str, now: float, ways: Ways = _USUAL
    ) -> None:
        self._durations = durations
        self._emit = emit
        self._ways = ways
        self.cause = ""
        """Id of the fault that is at work; the events carry it."""
        self.mishap: Callable[[float], Mishap] = lambda at: SMOOTH
        """Asked at the beginning of each boot."""
        self.mains = True
        """Whether the feed has power."""
        self._before_loss = False
        self.rehearsing = False
        """Whether it is a :meth:`double`."""
        self.power_before = power
        self.power = power
        self.power_since = now
        self.boot: Boot | None = Boot(Booted("Hdd"), now, now) if power == "On" else None
        self.boot_finished = power == "On"
        self.pending: Change | None = None
        self.override_target = "None"
        self.override_enabled = "Disabled"
        self.boot_next: str | None = None
        """The boot option that ``UefiBootNext`` means."""
        self.boot_order: tuple[str, ...] | None = None
        """Boot options as they are tried; None: as they are listed."""
        self.uefi_target: str | None = None
        """What ``UefiTarget`` means: a path, and arguments after a blank."""
        self.boot_mode = "UEFI"
        self.firmware: Callable[[float], str] = lambda at: ""
        """Called as a boot begins: settings take effect; gives their kernel arguments."""
        self.http_boot_uri: str | None = None
        self.media: dict[str, str] = {}

    @property
    def next_due(self) -> float | None:
        """When something happens next by itself; None: never."""
        boot = self.boot
        moves = boot is not None and not self.boot_finished and boot.finishes <= boot.stuck
        running = boot if moves else None
        if self.pending is None:
            return running.finishes if running else None
        return min(self.pending.at, running.finishes) if running else self.pending.at

    def advance(self, now: float) -> None:
        """Let everything happen that is due up to ``now``, the change of power first on a tie."""
        while (due := self.next_due) is not None and due <= now:
            if self.pending is not None and self.pending.at == due:
                change = self.pending
                with self.caused_by(change.cause):
                    self._apply(change)
            elif self.boot is not None:
                with self.caused_by(self.boot.cause):
                    self._end_boot(self.boot, due)

    def _end_boot(self, boot: Boot, at: float) -> None:
        if boot.breaks_off:
            self._emit(at, "boot-failed", boot.detail)
            self._start_boot(at, warm=True)
            return
        self.boot_finished = True
        self._emit(at, "boot-finished", boot.detail)

    @contextmanager
    def caused_by(self, fault: str) -> Iterator[None]:
        """Events and changes within carry a fault's id."""
        before, self.cause = self.cause, fault
        try:
            yield
        finally:
            self.cause = before

    def double(self) -> Machine:
        """The same machine for a rehearsal: it tells nobody, draws nothing and is forgotten."""
        other = copy.copy(self)
        other.media = dict(self.media)
        other._emit = lambda time, kind, detail: None
        other._durations = _Instantly()
        other.mishap, other.firmware = lambda at: SMOOTH, lambda at: ""
        other.rehearsing = True
        return other

    def lose_power(self, now: float) -> None:
        """The feed goes dark: off at once, whatever was under way."""
        coming = self.pending is not None and self.pending.to != "Off"
        self._before_loss = self.power == "On" or coming
        self.mains, self.pending = False, None
        if self.power == "On":
            self._switch_off(now)

    def regain_power(self, now: float, restore: str) -> None:
        """The feed is back; ``restore`` is Redfish's PowerRestorePolicy."""
        self.mains = True
        if restore == "AlwaysOn" or (restore == "LastState" and self._before_loss):
            self.pending = self._change("On", now + self._durations.power_on())

    def _turn(self, power: str, at: float) -> None:
        self.power_before, self.power, self.power_since = self.power, power, at

    def _switch_off(self, at: float) -> None:
        self._turn("Off", at)
        self.boot, self.boot_finished = None, False
        self._emit(at, "power-off", "")

    def _change(self, to: str, at: float) -> Change:
        return Change(to, at, self.cause)

    def _apply(self, change: Change) -> None:
        self.pending = None
        if change.to in ("Off", "Cycle"):
            self._switch_off(change.at)
            if change.to == "Cycle":
                self.pending = self._change("On", change.at + self._durations.power_on())
            return
        if change.to == "On":
            self._turn("On", change.at)
            self._emit(change.at, "power-on", "")
        self._start_boot(change.at, warm=change.to == "Restart")

    def _start_boot(self, at: float, *, warm: bool) -> None:
        arguments = self.firmware(at)
        mishap = self.mishap(at)
        if mishap.override_lost:
            self.boot_next = None
            self.override_target, self.override_enabled = "None", "Disabled"
        override = (self.boot_next, self.override_target, self.override_enabled)
        wanted = self.override_target if self.override_enabled != "Disabled" else "None"
        legacy = self.boot_mode == "Legacy" and wanted in UEFI_ONLY
        if legacy or wanted in self._ways.ignored:
            wanted = "None"
        targeted = ""
        if wanted == "UefiBootNext":
            wanted = OPTIONS[self.boot_next].source if self.boot_next else "None"
            self.boot_next = None  # It is for one boot, whatever the override's kind.
        elif wanted == "UefiTarget":
            option, targeted = uefi_target(self.uefi_target or "")
            wanted = option.source if option else "None"
        elif wanted == "UsbCd":
            wanted = "Cd"
        if self.override_enabled == "Once" and not (warm and self._ways.keeps_override):
            self.override_target, self.override_enabled = "None", "Disabled"
        order = [OPTIONS[reference].source for reference in self.boot_order or OPTIONS]
        source = wanted if self._bootable(wanted) else next(filter(self._bootable, order))
        image = {"Cd": self.disc, "UefiHttp": self.http_boot_uri or ""}.get(source, "")
        if source == wanted:
            arguments = " ".join(filter(None, (arguments, targeted)))
        if mishap.breaks_off:
            # It never gets to the boot device, so what is for one boot is for the next one still.
            self.boot_next, self.override_target, self.override_enabled = override
        what = Booted(source, image, arguments, self.boot_mode)
        length = self._durations.boot()
        stuck = at + mishap.stuck * length if mishap.stuck < 1.0 else math.inf
        cause = mishap.cause or self.cause
        self.boot = Boot(what, at, at + length, stuck, mishap.breaks_off, cause)
        self.boot_finished = False
        with self.caused_by(cause):
            self._emit(at, "boot-started", self.boot.detail)

    def _bootable(self, source: str) -> bool:
        """A disk, and whatever the network boots, are there; a CD only when it is inserted."""
        return source != "None" and (source != "Cd" or bool(self.disc))

    @property
    def disc(self) -> str:
        """The image in the first virtual CD drive that has one; empty: none has."""
        return next((self.media[name] for name in self._ways.optical if name in self.media), "")

    def shown_power(self, now: float) -> str:
        """``PowerState``, which on some machines follows the power late."""
        return self.power_before if now < self.power_since + self._ways.power_lag else self.power

    def in_post(self, now: float) -> bool:
        """Whether the power-on self-test runs: from the boot's start to the operating system's."""
        return self.progress(now)[0] not in ("None", "OSBootStarted", "OSRunning")

    def reset(self, kind: str | None, now: float) -> None:
        """``ComputerSystem.Reset``. On and Off take a while; what changes nothing is accepted.

        Raises:
            sushy_tools.error.BadRequest: ResetType is missing or none that we know.
        """
        if kind not in RESET_TYPES:
            raise error.BadRequest(
                f"ResetType must be one of {', '.join(RESET_TYPES)}, not {kind!r}"
                if kind is not None
                else f"ResetType is missing; it must be one of {', '.join(RESET_TYPES)}"
            )
        if not self.mains:
            return  # Accepted by a BMC that has another feed; there is nothing to switch.
        if kind == "Nmi":
            return  # An interrupt for the operating system; nothing of it shows at the BMC.
        if kind == "PushPowerButton":
            kind = "GracefulShutdown" if self.power == "On" else "On"
        if self.power == "Off":
            if kind in ("ForceOff", "GracefulShutdown"):
                self.pending = None
            elif self.pending is None:
                self.pending = self._change("On", now + self._durations.power_on())
        elif kind in ("ForceOff", "GracefulShutdown"):
            hard = kind == "ForceOff"
            wait = self._durations.power_off() if hard else self._durations.shutdown()
            self._sooner(self._change("Off", now + wait))
        elif kind == "PowerCycle":
            self.pending = self._change("Cycle", now + self._durations.power_off())
        elif kind in ("ForceRestart", "GracefulRestart"):
            hard = kind == "ForceRestart"
            wait = self._durations.power_on() if hard else self._durations.shutdown()
            self.pending = self._change("Restart", now + wait)

    def _sooner(self, change: Change) -> None:
        """A second request to switch off hastens the first, and never puts it off."""
        if self.pending is None or self.pending.to != change.to or change.at < self.pending.at:
            self.pending = change

    def set_override(self, target: str, enabled: str | None) -> None:
        """The boot override; ``enabled`` None leaves it as it is, as Redfish has it.

        Raises:
            sushy_tools.error.BadRequest: an unknown target or an unknown kind of override.
        """
        if target not in BOOT_TARGETS:
            raise error.BadRequest(
                f"BootSourceOverrideTarget must be one of {', '.join(BOOT_TARGETS)}, not {target!r}"
            )
        if enabled is not None and enabled not in OVERRIDES:
            raise error.BadRequest(
                f"BootSourceOverrideEnabled must be one of {', '.join(OVERRIDES)}, not {enabled!r}"
            )
        self.override_target = target
        self.override_enabled = enabled or self.override_enabled

    def insert(self, device: str, image: str, now: float) -> None:
        """Put ``image`` into ``device``, in place of what is there."""
        self.eject(device, now)
        self.media[device] = image
        self._emit(now, "media-inserted", f"{device}:{image}")

    def eject(self, device: str, now: float) -> None:
        """Take out what is in ``device``; nothing happens where nothing is."""
        image = self.media.pop(device, None)
        if image is not None:
            self._emit(now, "media-ejected", f"{device}:{image}")

    def next_change(self, now: float) -> float:
        """When what the machine shows changes next, if nobody does anything: infinity for never."""
        due = self.next_due
        found = math.inf if due is None else due
        if now < self.power_since + self._ways.power_lag:
            found = min(found, self.power_since + self._ways.power_lag)
        if self.boot is not None and not self.boot_finished:
            length = self.boot.finishes - self.boot.started
            starts = (self.boot.started + share * length for share, _ in self._durations.phases)
            coming = (start for start in starts if now < start <= self.boot.stuck)
            found = min(found, *coming, math.inf)
        return found

    def progress(self, now: float) -> tuple[str, float]:
        """``BootProgress``: the last state and the time at which it was reached."""
        if self.boot is None:
            return "None", self.power_since
        if self.boot_finished:
            return "OSRunning", self.boot.finishes
        length = self.boot.finishes - self.boot.started
        now = min(now, self.boot.stuck)
        state, since = "None", self.boot.started
        for share, name in self._durations.phases:
            reached = self.boot.started + share * length
            if reached > now:
                break
            state, since = name, reached
        return state, since
