"""Which host a machine should try first.

Rendezvous hashing (Thaler and Ravishankar, 1998): each machine ranks all hosts by a hash of the
pair. Machines disagree about the best host, so they rarely meet; and a host that comes or goes
changes no other host's rank. No date enters, unlike in the earlier implementation (U19).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState

Ranking = Callable[[ObjectKey, Iterable[PhysicalHost]], list[PhysicalHost]]


def claimable(host: PhysicalHost) -> bool:
    """Whether a host may be offered; the conditional update decides whether it is got."""
    return (
        host.state == HostState.AVAILABLE
        and host.ready
        and host.consumer is None
        and not host.deleting
        and not host.paused
    )


def rendezvous(machine: ObjectKey, hosts: Iterable[PhysicalHost]) -> list[PhysicalHost]:
    """Hosts in the order in which this machine should try them."""
    return sorted(hosts, key=lambda host: _weight(machine, host.key), reverse=True)


def first_available(machine: ObjectKey, hosts: Iterable[PhysicalHost]) -> list[PhysicalHost]:
    """By name, the same for every machine: for comparison only, it makes machines collide."""
    return sorted(hosts, key=lambda host: (host.namespace, host.name))


def _weight(machine: ObjectKey, host: ObjectKey) -> bytes:
    return hashlib.blake2b(f"{machine} {host}".encode(), digest_size=8).digest()


ALGORITHMS: dict[str, Ranking] = {
    "deterministic": rendezvous,
    "first-available": first_available,
}
"""The values of ``hostSelection.algorithm``."""


def candidates(
    algorithm: str, machine: ObjectKey, hosts: Sequence[PhysicalHost]
) -> list[PhysicalHost]:
    """The claimable hosts of the machine's namespace, best first."""
    return ALGORITHMS[algorithm](
        machine,
        (host for host in hosts if host.namespace == machine.namespace and claimable(host)),
    )
