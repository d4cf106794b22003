"""Faults that begin at a time, at each BMC for itself, and are undone at their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from emulator.bmc.services.accounts import basic, user_of
from emulator.faults import Active
from emulator.faultspec import Fault

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.fleet import Fleet

Moment = Callable[["Bmc", Fault, float], None]
SECRET_BYTES = 12


def eject_all(bmc: Bmc, at: float) -> None:
    """The virtual drives are empty from now on."""
    drives = bmc.drivers.peek("vmedia")
    for device in list(bmc.machine.media):
        if drives is not None:
            drives.eject_image(bmc.system_id, device)
        bmc.machine.eject(device, at)
    bmc.version += 1


def password(fleet: Fleet, fault: Fault) -> str:
    """What the hosts' password becomes: of the fleet's seed and the fault alone."""
    rng = fleet.runtime.rng(f"fault/{fault.id}/password")
    return rng.getrandbits(8 * SECRET_BYTES).to_bytes(SECRET_BYTES).hex()


def _eject(bmc: Bmc, fault: Fault, at: float) -> None:
    eject_all(bmc, at)


def _reboot(bmc: Bmc, fault: Fault, at: float) -> None:
    _forget(bmc, fault, at)
    bmc.down_until = max(bmc.down_until, at + fault.params["unreachable"])


def _forget(bmc: Bmc, fault: Fault, at: float) -> None:
    bmc.down_by = fault.id
    bmc.drivers.forget("sessions")
    bmc.drivers.forget("events")
    bmc.machine.set_override("None", "Disabled")
    eject_all(bmc, at)
    bmc.fleet.note(bmc.name, at, "bmc-reset", fault.kind)


def _clock(bmc: Bmc, fault: Fault, at: float) -> None:
    bmc.clock_ahead += fault.params["ahead"]
    bmc.fleet.note(bmc.name, at, "clock-changed", f"{fault.params['ahead']:g} s ahead")


def _clock_right(bmc: Bmc, fault: Fault, at: float) -> None:
    bmc.clock_ahead -= fault.params["ahead"]
    bmc.fleet.note(bmc.name, at, "clock-changed", "right again")


def _rotate(bmc: Bmc, fault: Fault, at: float) -> None:
    secret = bmc.fleet.spans.secret(fault)
    new = basic(user_of(bmc.token), secret)
    bmc.rotated[fault.id] = (bmc.token, new)
    bmc.token = new
    bmc.fleet.note(bmc.name, at, "credentials-changed", "")


def _rotate_back(bmc: Bmc, fault: Fault, at: float) -> None:
    old, new = bmc.rotated.pop(fault.id)
    if bmc.token == new:  # Else somebody has changed it meanwhile.
        bmc.token = old
    bmc.fleet.note(bmc.name, at, "credentials-changed", "")


def _dark(bmc: Bmc, fault: Fault, at: float) -> None:
    bmc.fleet.note(bmc.name, at, "feed-lost", "")
    bmc.machine.lose_power(at)
    if fault.params["bmc"]:
        _forget(bmc, fault, at)
        # Whether by itself or by somebody's word: the end says when.
        bmc.down_until = float("inf")


def _light(bmc: Bmc, fault: Fault, at: float) -> None:
    bmc.fleet.note(bmc.name, at, "feed-restored", "")
    bmc.machine.regain_power(at, fault.params["restore"])
    if fault.params["bmc"]:
        bmc.down_until = at + fault.params["bmc_boot"]


def _nothing(bmc: Bmc, fault: Fault, at: float) -> None:
    """What a fault that is over at once undoes, and a composite does by itself."""


SPANS: Mapping[str, tuple[Moment, Moment]] = {
    "media-ejected": (_eject, _nothing),
    "bmc-reboot": (_reboot, _nothing),
    "wrong-clock": (_clock, _clock_right),
    "credentials-rotated": (_rotate, _rotate_back),
    "power-loss": (_dark, _light),
    "firmware-bug": (_nothing, _nothing),
}


class Spans:
    """Begins and ends the faults of one fleet that last. Chance is drawn at each beginning."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._struck: dict[str, set[str]] = {}
        self._secrets: dict[str, str] = {}

    def secret(self, fault: Fault) -> str:
        """The password that a fault of kind ``credentials-rotated`` sets."""
        if fault.id not in self._secrets:
            self._secrets[fault.id] = password(self._fleet, fault)
        return self._secrets[fault.id]

    def added(self, active: Active) -> None:
        if active.fault.about.acts != "span":
            return
        now = self._fleet.runtime.now()
        number = max(0, active.number(now))
        for host in sorted(active.chosen & self._fleet.bmcs.keys()):
            self._plan(active, host, number, now)
        self._fleet.settle(now)

    def cleared(self, removed: Sequence[Active]) -> None:
        now = self._fleet.runtime.now()
        for active in removed:
            for host in sorted(self._struck.get(active.fault.id, ())):
                self._end(active, host, now)

    def _plan(self, active: Active, host: str, number: int, now: float) -> None:
        begins, ends = active.window(number)
        if ends is None or now < ends:
            begin = partial(self._begin, active, host, number)
            self._fleet.later(self._fleet.bmcs[host], max(begins, now), begin)

    def _begin(self, active: Active, host: str, number: int, at: float) -> None:
        fault = active.fault
        if not self._fleet.faults.has(active):
            return
        if self._fleet.faults.strikes(active, host):
            self._struck.setdefault(fault.id, set()).add(host)
            self._happen(SPANS[fault.kind][0], fault, host, at)
            ends = active.window(number)[1]
            if ends is not None:
                bmc = self._fleet.bmcs[host]
                self._fleet.later(bmc, ends, partial(self._end, active, host))
        if fault.every is not None and (fault.times is None or number + 1 < fault.times):
            self._plan(active, host, number + 1, at)

    def _end(self, active: Active, host: str, at: float) -> None:
        struck = self._struck.get(active.fault.id, set())
        if host in struck:
            struck.discard(host)
            self._happen(SPANS[active.fault.kind][1], active.fault, host, at)

    def _happen(self, moment: Moment, fault: Fault, host: str, at: float) -> None:
        bmc = self._fleet.bmcs[host]
        with bmc.machine.caused_by(fault.id):
            moment(bmc, fault, at)
        self._fleet.watch(bmc)
