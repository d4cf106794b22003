"""What a term reads of its caches, as typed objects; they are shared and must not be changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beskar7.api.errors import NotFound
from beskar7.api.hostclaims import HostClaim
from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM, PHYSICAL_HOST, SECRET, Kind
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import Object, ObjectList
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.kube.informers import SharedCaches
from beskar7.kube.port import Kube


class ClaimViews:
    """Hosts and claims: all that the claim coordinator needs."""

    def __init__(self, caches: SharedCaches) -> None:
        self._hosts = caches.cache(PHYSICAL_HOST)
        self._claims = caches.cache(HOST_CLAIM)

    def host(self, key: ObjectKey) -> PhysicalHost | None:
        raw = self._hosts.peek(key.namespace, key.name)
        return None if raw is None else PhysicalHost(raw)

    def claim(self, key: ObjectKey) -> HostClaim | None:
        raw = self._claims.peek(key.namespace, key.name)
        return None if raw is None else HostClaim(raw)


class Views(ClaimViews):
    """Also a reader for the rules of admission: Secrets from the cache, what else from ``kube``."""

    def __init__(self, caches: SharedCaches, kube: Kube) -> None:
        super().__init__(caches)
        self._kube = kube
        self._machines = caches.cache(BESKAR7_MACHINE)
        self._secrets = caches.cache(SECRET)
        self._hosts.add_index("secret", lambda raw: [str(secret_of(PhysicalHost(raw)))])
        self._hosts.add_index("consumer", lambda raw: map(str, consumer_of(raw)))

    def machine(self, key: ObjectKey) -> Beskar7Machine | None:
        raw = self._machines.peek(key.namespace, key.name)
        return None if raw is None else Beskar7Machine(raw)

    def secret(self, key: ObjectKey) -> View | None:
        raw = self._secrets.peek(key.namespace, key.name)
        return None if raw is None else View(raw)

    def hosts(self) -> Iterable[PhysicalHost]:
        return map(PhysicalHost, self._hosts.list())

    def hosts_of(self, machine: ObjectKey) -> Sequence[PhysicalHost]:
        """Those whose consumerRef names the machine."""
        return [PhysicalHost(raw) for raw in self._hosts.by_index("consumer", str(machine))]

    def hosts_with(self, secret: ObjectKey) -> Sequence[PhysicalHost]:
        """Those whose credentials are in the Secret."""
        return [PhysicalHost(raw) for raw in self._hosts.by_index("secret", str(secret))]

    def subject(self, controller: str, key: ObjectKey) -> dict[str, object]:
        """What log records of a reconcile are about: machine, host and claim."""
        if controller == "beskar7machine":
            machine = self.machine(key)
            return {"machine": key, "claim": machine.uid if machine is not None else ""}
        if controller == "physicalhost":
            host = self.host(key)
            owner = None if host is None else host.consumer_key
            return {"host": key, "machine": owner, "claim": host.consumer_uid if host else ""}
        return {}

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """Raises :class:`beskar7.api.errors.ApiError`."""
        if kind != SECRET:
            return self._kube.get(kind, namespace, name)
        secret = self.secret(ObjectKey(namespace or "", name))
        if secret is None:
            raise NotFound(f'secrets "{name}" not found')
        return secret.raw

    def list(self, kind: Kind, namespace: str | None = None) -> ObjectList:
        """Raises :class:`beskar7.api.errors.ApiError`."""
        return self._kube.list(kind, namespace)


def secret_of(host: PhysicalHost) -> ObjectKey:
    return ObjectKey(host.namespace, host.secret_name)


def consumer_of(raw: Object) -> Iterable[ObjectKey]:
    consumer = PhysicalHost(raw).consumer_key
    return () if consumer is None else (consumer,)
