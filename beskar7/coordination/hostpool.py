"""The hosts of a fleet as those who assign them need them: free ones sorted, all of them counted.

Kept up to date by changes, so that a claim costs the same in a fleet of 100 hosts and of 10,000.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.coordination.requirements import ANY, Requirements
from beskar7.coordination.selection import Order, Turn, claimable
from beskar7.runtime import Runtime

KEPT_ORDERS = 32
"""Sorted lists that are kept: one for each namespace, algorithm and set of requirements in use.
Machines of one template share theirs. A further one costs a look at every free host."""

_OrderKey = tuple[str, str, Requirements]


class HostPool:
    """Thread-safe. ``update`` it with every change of a host.

    ``known`` gives a host as the process knows it. It is asked before a host is handed out, as
    changes arrive here one after the other: under load one that a worker of this process has
    claimed would be offered to the next for some milliseconds, which would meet a conflict.
    """

    def __init__(self, runtime: Runtime, known: Callable[[ObjectKey], PhysicalHost | None]) -> None:
        self._runtime = runtime
        self._known = known
        self._lock = runtime.lock()
        self._hosts: dict[str, dict[ObjectKey, PhysicalHost]] = {}
        self._free: dict[str, dict[ObjectKey, PhysicalHost]] = {}
        self._held: dict[ObjectKey, None] = {}
        self._orders: OrderedDict[_OrderKey, Order] = OrderedDict()
        self._last: dict[str, str] = {}
        self._verdicts: dict[tuple[str, Requirements], str] = {}

    def update(self, key: ObjectKey, host: PhysicalHost | None) -> bool:
        """Take the host as it is now (None: gone).

        True when it became free, or fits others than before: who waits may look again.
        """
        with self._lock:
            hosts = self._hosts.setdefault(key.namespace, {})
            before = hosts.get(key)
            if host is None:
                hosts.pop(key, None)
            else:
                hosts[key] = host
            other = _capability(before) != _capability(host)
            if other:
                self._verdicts.clear()
            was_free = key in self._free.get(key.namespace, {})
            free = host is not None and key not in self._held and claimable(host)
            if host is not None and free:
                self._put(host)
            elif was_free:
                self._remove(key)
            return free and (other or not was_free)

    def take(
        self, algorithm: str, machine: ObjectKey, requirements: Requirements
    ) -> PhysicalHost | None:
        """The best free host for the machine, held as by :meth:`hold`; None: none is free."""
        while chosen := self.choose(algorithm, machine, requirements):
            host = self.hold(chosen[0].key, requirements)
            if host is not None:
                return host
        return None

    def hold(self, key: ObjectKey, requirements: Requirements = ANY) -> PhysicalHost | None:
        """The host, offered to nobody else until :meth:`let_go`; None when it is not free, or
        satisfies the requirements no longer."""
        with self._lock:
            host = self._get(key, requirements)
            if host is not None:
                self._held[key] = None
                self._remove(key)
            return host

    def let_go(self, key: ObjectKey) -> None:
        with self._lock:
            self._held.pop(key, None)
            host = self._hosts.get(key.namespace, {}).get(key)
            if host is not None and claimable(host):
                self._put(host)

    def get(self, key: ObjectKey, requirements: Requirements) -> PhysicalHost | None:
        """The host when it is free and fits: the shared view, not to be changed."""
        with self._lock:
            return self._get(key, requirements)

    def _get(self, key: ObjectKey, requirements: Requirements) -> PhysicalHost | None:
        if key not in self._free.get(key.namespace, {}):
            return None
        host = self._known(key)
        if host is not None and claimable(host) and requirements.met(host):
            return host
        # What made it another is still to come here, and puts it where it belongs.
        self._remove(key)
        return None

    def free(self, namespace: str) -> int:
        with self._lock:
            return len(self._free.get(namespace, {}))

    def choose(
        self,
        algorithm: str,
        machine: ObjectKey,
        requirements: Requirements,
        *,
        limit: int = 1,
        skip: Container[ObjectKey] = (),
    ) -> list[PhysicalHost]:
        """Free hosts for the machine, best first: shared views, not to be changed."""
        namespace = machine.namespace
        with self._lock:
            free = self._free.get(namespace)
            if not free:
                return []
            turn = Turn(self._runtime.wall(), self._last.get(namespace, ""))
            chosen = self._order(namespace, algorithm, requirements).choose(
                machine, turn, limit, skip
            )
            if chosen:
                self._last[namespace] = chosen[0].name
            return [free[key] for key in chosen]

    def fits(self, algorithm: str, namespace: str, requirements: Requirements) -> int:
        """How many free hosts satisfy the requirements."""
        with self._lock:
            if not self._free.get(namespace):
                return 0
            return len(self._order(namespace, algorithm, requirements))

    def hopeless(self, namespace: str, requirements: Requirements) -> str:
        """Why no host, free or not, can ever satisfy this; empty when one can or might."""
        if requirements.simple:
            return ""
        with self._lock:
            key = (namespace, requirements)
            if key not in self._verdicts:
                if len(self._verdicts) >= KEPT_ORDERS:
                    self._verdicts.clear()
                self._verdicts[key] = requirements.hopeless(self._hosts.get(namespace, {}).values())
            return self._verdicts[key]

    def _order(self, namespace: str, algorithm: str, requirements: Requirements) -> Order:
        key = (namespace, algorithm, requirements)
        order = self._orders.get(key)
        if order is None:
            order = self._orders[key] = Order(algorithm, requirements)
            for host in self._free.get(namespace, {}).values():
                order.put(host)
            if len(self._orders) > KEPT_ORDERS:
                self._orders.popitem(last=False)
        self._orders.move_to_end(key)
        return order

    def _put(self, host: PhysicalHost) -> None:
        self._free.setdefault(host.namespace, {})[host.key] = host
        for (namespace, _, _), order in self._orders.items():
            if namespace == host.namespace:
                order.put(host)

    def _remove(self, key: ObjectKey) -> None:
        self._free[key.namespace].pop(key, None)
        for (namespace, _, _), order in self._orders.items():
            if namespace == key.namespace:
                order.remove(key)


def _capability(host: PhysicalHost | None) -> object:
    """All of a host that requirements look at."""
    if host is None:
        return None
    return host.labels, host.spec.get("tags"), host.status.get("hardwareDetails")
