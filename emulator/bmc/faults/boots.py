"""Faults of boots: what a machine meets when one begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator.bmc.faults.spans import eject_all
from emulator.bmc.machine import SMOOTH, Mishap
from emulator.faultspec import Fault

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

Booter = Callable[["Bmc", Fault, Mishap, float], Mishap]


def _override_lost(bmc: Bmc, fault: Fault, mishap: Mishap, at: float) -> Mishap:
    return replace(mishap, override_lost=True)


def _loop(bmc: Bmc, fault: Fault, mishap: Mishap, at: float) -> Mishap:
    return replace(mishap, breaks_off=True)


def _stuck(bmc: Bmc, fault: Fault, mishap: Mishap, at: float) -> Mishap:
    return replace(mishap, stuck=min(mishap.stuck, fault.params["share"]))


def _media_lost(bmc: Bmc, fault: Fault, mishap: Mishap, at: float) -> Mishap:
    with bmc.machine.caused_by(fault.id):
        eject_all(bmc, at)
    return mishap


BOOTS: Mapping[str, Booter] = {
    "override-lost": _override_lost,
    "boot-loop": _loop,
    "boot-stuck": _stuck,
    "media-lost": _media_lost,
}


def mishap(bmc: Bmc, at: float) -> Mishap:
    """What befalls the boot that begins at ``at``, of all faults together."""
    found = SMOOTH
    for active in bmc.fleet.faults.strike(bmc.name, "boot", at):
        found = BOOTS[active.fault.kind](bmc, active.fault, found, at)
        found = replace(found, cause=active.fault.id)
    return found
