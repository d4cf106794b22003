"""What a host's state says has to be so: legal edges, clean hosts, booted images."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

from emulator.bmc.boot import Booted
from emulator.bmc.log import BmcEvent
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import (
    History,
    Ownership,
    Version,
    consumer_uid,
    dig,
    phase,
    state,
)
from scenarios.engine.invariants.operations import Header
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

CONFIG_ARGUMENTS = {
    "kairos": "config_url",
    "flatcar": "flatcar.ignition.config.url",
    "LeapMicro": "combustion.path",
}
"""By osFamily, the kernel argument that names its configuration. Written down here, too, so that
the controller is not judged by its own table."""


def legal_state_edges(evidence: Evidence, rules: Rules) -> Judged:
    """``status.state`` moves along the edges of the state machine only."""
    found: list[Violation] = []
    cases = 0
    for track in evidence.history.hosts.values():
        for before, after in track.pairs():
            if after.object is None:
                continue
            old, new = state(before.object if before else None), state(after.object)
            if old == new:
                continue
            cases += 1
            if (old, new) not in rules.legal_edges:
                found.append(
                    Violation(
                        "legal-state-edges",
                        track.name,
                        evidence.history.machine_name(consumer_uid(after.object)),
                        after.time,
                        f"{old or 'None'} -> {new or 'None'} by {after.client} is no edge of "
                        "the state machine",
                        writes=(*((before.seq,) if before else ()), after.seq),
                    )
                )
    return Judged(found, cases)


class MachineLog:
    """What each host's machine did, by time."""

    def __init__(self, events: Iterable[BmcEvent]) -> None:
        self._events: dict[str, list[BmcEvent]] = {}
        for event in sorted(events, key=lambda event: (event.time, event.seq)):
            self._events.setdefault(event.host, []).append(event)

    def until(self, host: str, time: float) -> list[BmcEvent]:
        events = self._events.get(host, [])
        return events[: bisect_right(events, time, key=lambda event: event.time)]

    def last(self, host: str, time: float, *types: str) -> BmcEvent | None:
        """The last event of one of these types at or before ``time``."""
        for event in reversed(self.until(host, time)):
            if event.type in types:
                return event
        return None


def released_clean(evidence: Evidence, rules: Rules) -> Judged:
    """A host that is Available again after an owner is powered off and holds no media.

    What a fault switched on or put in by itself is not the controller's doing, and neither is
    what it could not see because a fault showed it the past.
    """
    lies = _lies(evidence)
    log = MachineLog(evidence.events)
    found: list[Violation] = []
    cases = 0
    for track in evidence.history.hosts.values():
        owner, since = "", 0.0
        for before, after in track.pairs():
            if state(after.object) == "Deprovisioning":
                since = after.time
            owner = consumer_uid(after.object) or owner
            became = state(after.object) == "Available"
            if not owner or not became or (before and state(before.object) == "Available"):
                continue
            cases += 1
            unclean: list[tuple[str, BmcEvent]] = []
            power = log.last(track.name, after.time, "power-on", "power-off")
            lied = any(since <= time <= after.time for time in lies.get(track.name, ()))
            if power is not None and power.type == "power-on" and not power.fault and not lied:
                unclean.append(("is still powered on", power))
            media = log.last(track.name, after.time, "media-inserted", "media-ejected")
            if media is not None and media.type == "media-inserted" and not media.fault:
                unclean.append((f"still holds media ({media.detail})", media))
            for what, event in unclean:
                found.append(
                    Violation(
                        "released-clean",
                        track.name,
                        evidence.history.machine_name(owner) or owner,
                        after.time,
                        f"returned to Available but {what}",
                        writes=(after.seq,),
                        events=(event.seq,),
                    )
                )
            owner = ""
    return Judged(found, cases)


def _lies(evidence: Evidence) -> dict[str, list[float]]:
    """When each host's BMC showed a power state of the past, as a fault bade it."""
    kinds = {id: kind for window in evidence.faults for id, kind in window.kinds.items()}
    found: dict[str, list[float]] = {}
    for request in evidence.requests:
        if kinds.get(request.fault) == "stale-power":
            found.setdefault(request.host, []).append(request.start)
    return found


def provisioned_means_booted(evidence: Evidence, rules: Rules) -> Judged:
    """Whatever is called Provisioned booted what its machine asks for since it was claimed.

    A boot that a fault led astray is not held against the controller: a BMC shows no difference.
    """
    history = evidence.history
    log = MachineLog(evidence.events)
    ownerships = _by_owner(history)
    found: list[Violation] = []
    cases = 0
    for host, owner, version in _provisioned_hosts(history):
        cases += 1
        if fault := _not_booted(log, history, ownerships, host, owner, version):
            found.append(_unbooted(history, host, owner, version, "host", fault))
    for track in history.machines.values():
        for before, after in track.pairs():
            if phase(after.object) != "Provisioned":
                continue
            if before and phase(before.object) == "Provisioned":
                continue
            cases += 1
            held = _held(ownerships, track.uid, after.seq)
            if held is None:
                message = "called Provisioned without owning a host"
                found.append(_unbooted(history, "", track.uid, after, "machine", message))
            elif fault := _not_booted(log, history, ownerships, held.host, track.uid, after):
                found.append(_unbooted(history, held.host, track.uid, after, "machine", fault))
    return Judged(found, cases)


def no_blind_reset(evidence: Evidence, rules: Rules) -> Judged:
    """Nobody resets or switches off a host that boots, or has booted, what its owner asked for.

    A provisioning whose answer was lost is looked at before it is repeated. A boot from the
    network leaves nothing to look at, so those do not count; neither does what follows a failure
    that the host's state tells of, or a fault.
    """
    history = evidence.history
    log = MachineLog(evidence.events)
    ownerships = _by_owner(history)
    found: list[Violation] = []
    cases = 0
    for request in evidence.requests:
        header = Header.parse(request.operation)
        if header.kind != "provision" or not request.action.startswith("reset:"):
            continue
        if not request.performed:
            continue
        cases += 1
        held = [
            o
            for o in ownerships.get(header.consumer, [])
            if o.host == request.host and o.start <= request.start
        ]
        since = held[-1].start if held else request.start
        last = [
            e for e in log.until(request.host, request.start) if since <= e.time < request.start
        ]
        if not last or last[-1].fault or last[-1].type not in ("boot-started", "boot-finished"):
            continue
        host = history.host_named(request.host, request.start)
        states = [state(v) for v in host.during(last[-1].time, request.start)] if host else []
        if last[-1].detail.startswith("Cd:") and set(states) == {"Provisioning"}:
            found.append(
                Violation(
                    "no-blind-reset",
                    request.host,
                    history.machine_name(header.consumer),
                    request.start,
                    f"{request.action} {request.start - last[-1].time:.3f} s after "
                    f"{last[-1].type} of {last[-1].detail}",
                    requests=(request.seq,),
                    events=(last[-1].seq,),
                )
            )
    return Judged(found, cases)


def _provisioned_hosts(history: History) -> Iterable[tuple[str, str, Version]]:
    """Each write that made a host Provisioned, with the host's name and owner."""
    for track in history.hosts.values():
        for before, after in track.pairs():
            was = state(before.object if before else None)
            if state(after.object) == "Provisioned" and was != "Provisioned":
                yield track.name, consumer_uid(after.object), after


Ownerships = dict[str, list[Ownership]]


def _by_owner(history: History) -> Ownerships:
    found: Ownerships = {}
    for ownership in history.ownerships():
        found.setdefault(ownership.owner, []).append(ownership)
    return found


def _held(ownerships: Ownerships, owner: str, seq: int, host: str = "") -> Ownership | None:
    """The host (this one, if named) that ``owner`` held when write ``seq`` was made."""
    for held in ownerships.get(owner, []):
        if host and held.host != host:
            continue
        if held.start_seq <= seq and (held.end_seq is None or seq < held.end_seq):
            return held
    return None


def _not_booted(
    log: MachineLog,
    history: History,
    ownerships: Ownerships,
    host: str,
    owner: str,
    version: Version,
) -> str:
    """Why the boot is not proven; empty when it is."""
    held = _held(ownerships, owner, version.seq, host)
    if not owner or held is None:
        return "called Provisioned while it belonged to nobody"
    machine = history.machines.get(owner)
    spec = (
        next((spec for v in reversed(machine.versions) if (spec := dig(v.object, "spec"))), None)
        if machine
        else None
    )
    wanted = wanted_boot(spec or {"imageURL": dig(version.object, "spec", "bootIsoSource")})
    boots = [e for e in log.until(host, version.time) if e.type == "boot-finished"]
    since = [e for e in boots if e.time >= held.start]
    proven = any(Booted.parse(event.detail) == wanted for event in since)
    if proven or (since and since[-1].fault):
        return ""
    seen = f"its last boot was {since[-1].detail}" if since else "it did not boot since its claim"
    return f"called Provisioned without having booted {wanted}: {seen}"


def wanted_boot(spec: dict[str, Any]) -> Booted:
    """What a machine with this spec has to boot: source, image, kernel arguments and mode."""
    config, firmware = spec.get("configURL"), spec.get("bootMode") or "UEFI"
    mode = spec.get("provisioningMode") or ("RemoteConfig" if config else "PreBakedISO")
    if mode in ("PXE", "iPXE"):
        return Booted("Pxe", mode=firmware)
    arguments = ""
    if mode == "RemoteConfig":
        arguments = f"{CONFIG_ARGUMENTS.get(str(spec.get('osFamily')), '')}={config}"
    return Booted("Cd", str(spec.get("imageURL") or ""), arguments, firmware)


def _unbooted(
    history: History, host: str, owner: str, version: Version, what: str, fault: str
) -> Violation:
    return Violation(
        "provisioned-means-booted",
        host,
        history.machine_name(owner) or owner,
        version.time,
        f"{what} {fault}",
        writes=(version.seq,),
    )
