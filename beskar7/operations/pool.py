"""Hosts and machines as operators count them: by state, who waits, and whether waiting can help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beskar7.api import conditions
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.coordination.requirements import Requirements

NONE = "None"
"""How the state and the phase are called that were never written."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A machine without a host. ``hopeless`` says why no host could ever do; empty: one could."""

    machine: Beskar7Machine
    requirements: Requirements
    hopeless: str


@dataclass(frozen=True, slots=True)
class Pool:
    """All hosts and machines, in the order of their names."""

    hosts: Sequence[PhysicalHost]
    machines: Sequence[Beskar7Machine]
    waiting: Sequence[Waiting]

    @classmethod
    def of(cls, hosts: Iterable[Object], machines: Iterable[Object]) -> Pool:
        views = sorted((PhysicalHost(each) for each in hosts), key=lambda host: str(host.key))
        wishes = sorted((Beskar7Machine(each) for each in machines), key=lambda each: str(each.key))
        near: dict[str, list[PhysicalHost]] = {}
        for host in views:
            near.setdefault(host.namespace, []).append(host)
        owned = {host.consumer_uid for host in views if host.consumer_uid}
        verdicts: dict[tuple[str, Requirements], str] = {}
        waiting = []
        for machine in wishes:
            if not waits(machine) or machine.uid in owned:
                continue
            wish = Requirements.of(machine)
            asked = (machine.namespace, wish)
            if asked not in verdicts:
                verdicts[asked] = wish.hopeless(near.get(machine.namespace, ()))
            waiting.append(Waiting(machine, wish, verdicts[asked]))
        return cls(views, wishes, waiting)

    def states(self) -> dict[str, int]:
        """Hosts by state, all states that occur."""
        return _by_word(host_state(host) for host in self.hosts)

    def phases(self) -> dict[str, int]:
        """Machines by phase, all phases that occur."""
        return _by_word(machine.phase or NONE for machine in self.machines)

    def available(self, namespace: str | None = None) -> list[PhysicalHost]:
        """The hosts that a machine could claim now."""
        return [
            host
            for host in self.hosts
            if host.state == HostState.AVAILABLE
            and host.consumer is None
            and not host.paused
            and not host.deleting
            and namespace in (None, host.namespace)
        ]

    def short(self) -> dict[str, int]:
        """By namespace, how many more machines wait than hosts are available; only where some do.

        Who waits for what no host has is not counted: more hosts of this kind would not help.
        """
        wanted = Counter(each.machine.namespace for each in self.waiting if not each.hopeless)
        missing = {name: count - len(self.available(name)) for name, count in wanted.items()}
        return {name: count for name, count in sorted(missing.items()) if count > 0}


def host_state(host: PhysicalHost) -> str:
    """The word in the status, whether it is a state or not."""
    return str(host.status.get("state") or NONE)


def waits(machine: Beskar7Machine) -> bool:
    """Whether it has no host and wants one."""
    return (
        not machine.deleting
        and not machine.paused
        and machine.phase in ("", "Pending")
        and not machine.host_name
        and not machine.provider_id
        and reason_of(machine) != "WaitingForOwnerMachine"
    )


def reason_of(machine: Beskar7Machine) -> str:
    """Why it is not ready, as its condition says; empty when it is, or nobody has looked yet."""
    condition = conditions.get_condition(machine.status, conditions.INFRASTRUCTURE_READY) or {}
    return "" if condition.get("status") == "True" else str(condition.get("reason") or "")


def trouble_of(host: PhysicalHost) -> str:
    """What the controller says of the host: the reason of its connection, and its message."""
    found = conditions.get_condition(host.status, conditions.REDFISH_CONNECTION_READY) or {}
    reason = str(found.get("reason") or "") if found.get("status") == "False" else ""
    message = str(host.status.get("errorMessage") or "")
    return ": ".join(each for each in (reason, message) if each)


def since(view: PhysicalHost | Beskar7Machine) -> float:
    """UTC seconds from which on it is as it is: its state's beginning, else its last transition,
    else its creation."""
    if isinstance(view, PhysicalHost) and view.state_since is not None:
        return view.state_since
    times = [
        parse_rfc3339(each["lastTransitionTime"])
        for each in view.status.get("conditions") or ()
        if each.get("lastTransitionTime")
    ]
    return max(times, default=view.created)


def counted(number: int, word: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _by_word(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
