"""The caches of one process: each kind is listed and watched once, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beskar7.api.kinds import Kind
from beskar7.kube.cache import Cache
from beskar7.kube.port import Kube, Object, ObjectList, PatchType
from beskar7.kube.reflector import Reflector
from beskar7.runtime import Deadline, Runtime


class SharedCaches:
    """Caches by kind, of one namespace or (None) of all; ``owner`` names the random streams.

    ``told`` as for :class:`Reflector`: who makes caches anew hands it from one to the next.
    """

    def __init__(
        self,
        kube: Kube,
        runtime: Runtime,
        namespace: str | None = None,
        *,
        owner: str = "",
        told: dict[Kind, int] | None = None,
    ) -> None:
        self._kube = kube
        self._runtime = runtime
        self._namespace = namespace
        self._owner = owner
        self._told = {} if told is None else told
        self._lock = runtime.lock()
        self._reflectors: dict[Kind, Reflector] = {}
        self._started = False

    def cache(self, kind: Kind) -> Cache:
        """The cache of ``kind``; watched from now on, or from :meth:`start` on."""
        with self._lock:
            reflector = self._reflectors.get(kind)
            if reflector is None:
                reflector = Reflector(
                    self._kube,
                    self._runtime,
                    kind,
                    self._namespace,
                    owner=self._owner,
                    told=self._told,
                )
                self._reflectors[kind] = reflector
                if self._started:
                    reflector.start()
            return reflector.cache

    def start(self) -> None:
        with self._lock:
            self._started = True
            for reflector in self._reflectors.values():
                reflector.start()

    def wait_synced(self, timeout: float | None = None) -> bool:
        """False when ``timeout`` seconds came before the first list of every kind."""
        deadline = Deadline(self._runtime, timeout)
        return all(r.wait_synced(deadline.remaining()) for r in list(self._reflectors.values()))

    def unsynced(self) -> dict[str, str]:
        """The kinds without a first list, and why, as far as known."""
        return {
            reflector.kind.qualified: str(reflector.last_error or "waiting for the first list")
            for reflector in list(self._reflectors.values())
            if not reflector.cache.synced
        }

    def newest(self) -> int:
        """The highest resourceVersion that the server has told of any kind; -1: none yet."""
        return max((r.cache.version for r in list(self._reflectors.values())), default=-1)

    def observe(self, kind: Kind, obj: Object) -> None:
        """Show what a write or a read of ours returned to the readers of the cache, if any."""
        reflector = self._reflectors.get(kind)
        if reflector is not None:
            reflector.cache.observe(obj)

    def stop(self, timeout: float | None = 5.0) -> bool:
        """False when a reflector had not ended after ``timeout`` seconds."""
        with self._lock:
            self._started = False
            reflectors = list(self._reflectors.values())
        for reflector in reflectors:
            reflector.stop(0.0)
        deadline = Deadline(self._runtime, timeout)
        return all(reflector.stop(deadline.remaining()) for reflector in reflectors)


class WriteThroughKube:
    """A :class:`Kube` whose writes appear at once in the caches of the same process.

    Reads go to the server: whoever can live with the cache asks the cache. ``fence`` runs before
    every write and raises when the caller may not write any more.
    """

    def __init__(self, kube: Kube, caches: SharedCaches, fence: Callable[[], None]) -> None:
        self._kube = kube
        self._caches = caches
        self._fence = fence
        self.get = kube.get
        self.watch = kube.watch

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        return self._kube.list(
            kind, namespace, label_selector=label_selector, field_selector=field_selector
        )

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        self._fence()
        created = self._kube.create(kind, obj, dry_run=dry_run)
        return created if dry_run else self._seen(kind, created)

    def update(self, kind: Kind, obj: Object) -> Object:
        self._fence()
        return self._seen(kind, self._kube.update(kind, obj))

    def update_status(self, kind: Kind, obj: Object) -> Object:
        self._fence()
        return self._seen(kind, self._kube.update_status(kind, obj))

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        type: PatchType = "merge",
        subresource: str | None = None,
    ) -> Object:
        self._fence()
        written = self._kube.patch(kind, namespace, name, patch, type=type, subresource=subresource)
        return written if subresource == "scale" else self._seen(kind, written)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        self._fence()
        self._kube.delete(kind, namespace, name, uid=uid, resource_version=resource_version)

    def _seen(self, kind: Kind, obj: Object) -> Object:
        self._caches.observe(kind, obj)
        return obj
