"""When a world is at rest: nothing is under way that the controller would still have to do."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.engine.fitness import Inventory, fits, requirements
from scenarios.engine.history import (
    History,
    Object,
    Track,
    consumer_uid,
    deleting,
    phase,
    state,
)


@dataclass(frozen=True, slots=True)
class Unrest:
    """A host or machine that is not at rest, and why."""

    track: Track
    host: str
    machine: str
    message: str


def free_hosts(history: History) -> list[Object]:
    """The hosts that are Available and nobody's."""
    return [
        track.last
        for track in history.hosts.values()
        if track.last and state(track.last) == "Available" and not consumer_uid(track.last)
    ]


def unsettled(history: History, blocked: set[str], known: Inventory) -> list[Unrest]:
    """What is not at rest. ``blocked`` are hosts whose BMC a fault still keeps from working.

    At rest are hosts that are Available and nobody's, Provisioned and somebody's, or blocked and
    in Error; machines that are Provisioned, on a blocked host, or without a host while none is
    free that would do for them.
    """
    free = free_hosts(history)
    owned: dict[str, Track] = {}
    found: list[Unrest] = []
    for track in history.hosts.values():
        owner = consumer_uid(track.last)
        if owner:
            owned[owner] = track
        if message := host_unrest(track, blocked) or _orphaned(track, history.machines.get(owner)):
            found.append(Unrest(track, track.name, history.machine_name(owner), message))
    for track in history.machines.values():
        host = owned.get(track.uid)
        if not track.gone and (message := _machine_unrest(track, host, free, blocked, known)):
            found.append(Unrest(track, host.name if host else "", track.name, message))
    return found


def _orphaned(host: Track, owner: Track | None) -> str:
    """A host whose owner is gone is to be given back, also by a BMC that cannot be reached."""
    if host.gone or owner is None or not owner.gone:
        return ""
    return f"{host.name} still belongs to {owner.name}, which is gone"


def host_unrest(track: Track, blocked: set[str]) -> str:
    """Why a host is not at rest; empty when it is, or is gone."""
    if track.gone:
        return ""
    at = state(track.last)
    if deleting(track.last):
        return f"{track.name} is still being deleted"
    owned = bool(consumer_uid(track.last))
    if at == ("Provisioned" if owned else "Available") or (at == "Error" and track.name in blocked):
        return ""
    extra = " though no fault keeps its BMC from working" if at == "Error" else ""
    whose = " and somebody's" if owned else " and nobody's"
    shown = at + whose if at in ("Available", "Provisioned") else at or "without a state"
    return f"{track.name} is still {shown}{extra}"


def _machine_unrest(
    track: Track, host: Track | None, free: list[Object], blocked: set[str], known: Inventory
) -> str:
    if deleting(track.last):
        return f"{track.name} is still being deleted"
    if host is None:
        fitting = filter(fits(requirements(track.last), known), free)
        names = [item["metadata"]["name"] for item in fitting]
        if not names:
            return ""
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        return f"{track.name} has no host though {len(names)} are free ({shown})"
    if phase(track.last) == "Provisioned" or host.name in blocked:
        return ""
    at = phase(track.last) or "without a phase"
    return f"{track.name} is {at} on {host.name}, which is {state(host.last)}"
