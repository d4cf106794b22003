"""How a test outside of a world has something done in it, on either clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from beskar7.api.kinds import Kind
from beskar7.kube.port import Kube, Object, ObjectList, PatchType, WatchEvent
from beskar7.runtime import VirtualRuntime

T = TypeVar("T")
LIMIT = 30 * 86_400.0
"""Virtual seconds after which a test is given up; its waits have limits of their own."""


class Driver(Protocol):
    """``do`` calls a function where it may wait, and returns what that does."""

    def do(self, function: Callable[..., T], *args: Any) -> T: ...
    def close(self) -> None: ...


class LiveDriver:
    """Wall time: a test may wait wherever it is."""

    def do(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)

    def close(self) -> None:
        pass


class VirtualDriver:
    """Virtual time: it passes only within a call of the world, and stands still between them.

    So fixtures, tests and debuggers are outside of the world, and their own work takes no time.
    """

    def __init__(self, runtime: VirtualRuntime) -> None:
        self._runtime = runtime

    def do(self, function: Callable[..., T], *args: Any) -> T:
        __tracebackhide__ = True
        if self._runtime.running is not None:
            # From within: what a wait was given to ask.
            return function(*args)
        return self._runtime.call(function, *args, until=LIMIT)

    def close(self) -> None:
        self._runtime.close()


class DrivenKube:
    """A Kubernetes port for use from outside of its world."""

    def __init__(self, kube: Kube, driver: Driver) -> None:
        self._kube = kube
        self._driver = driver

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return self._driver.do(self._kube.get, kind, namespace, name)

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        return self._driver.do(
            lambda: self._kube.list(
                kind, namespace, label_selector=label_selector, field_selector=field_selector
            )
        )

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Iterator[WatchEvent]:
        events = self._kube.watch(
            kind,
            namespace,
            resource_version=resource_version,
            timeout=timeout,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        try:
            while (event := self._driver.do(next, events, None)) is not None:
                yield event
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                self._driver.do(close)

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        return self._driver.do(lambda: self._kube.create(kind, obj, dry_run=dry_run))

    def update(self, kind: Kind, obj: Object) -> Object:
        return self._driver.do(self._kube.update, kind, obj)

    def update_status(self, kind: Kind, obj: Object) -> Object:
        return self._driver.do(self._kube.update_status, kind, obj)

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
        return self._driver.do(
            lambda: self._kube.patch(
                kind, namespace, name, patch, type=type, subresource=subresource
            )
        )

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        self._driver.do(
            lambda: self._kube.delete(
                kind, namespace, name, uid=uid, resource_version=resource_version
            )
        )
