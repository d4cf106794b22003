"""The Kubernetes port without a socket: the store, with the latencies of a network around it.

It fits :class:`beskar7.kube.port.Kube` by structure.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeVar

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object, ObjectList, WatchEvent, copy_json
from beskar7.runtime import Event, Random, Runtime
from emulator.kube.faults.faultclient import FaultyCalls
from emulator.kube.faults.faults import ApiFaults, Follower
from emulator.kube.inwatch import Ending, InProcessWatch
from emulator.kube.lens import Lens
from emulator.kube.store.history import Entry, Watcher, bookmark
from emulator.kube.store.past import list_at_age
from emulator.kube.store.pipeline import Call
from emulator.kube.store.selectors import Predicate, compile_selectors
from emulator.kube.store.store import Store, parse_version

T = TypeVar("T")
WATCH_GRACE = 5.0
"""Seconds after a watch's timeout at which a client gives up a server that does not end it."""
Before = Callable[[str, Kind, str, str], float | None]
"""Fault hook (verb, kind, namespace, name): raises an ApiError, or gives a delay in seconds."""
After = Callable[[str, Kind, str, str], None]
"""Hears of a call (verb, kind, namespace, name) whose answer is there, before its caller does."""


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Lognormal latencies in seconds.

    ``request`` is the median of each half of a call (to the commit, and back), ``delivery`` that
    of a watch event, ``sigma`` the standard deviation of the logarithm. The defaults are of the
    order of the HTTP form on one machine: a call of 1-2 ms (facts: 1,800 PUT/s one at a time).
    """

    request: float = 0.0005
    delivery: float = 0.002
    sigma: float = 0.5

    def half(self, rng: Random) -> float:
        return self._draw(rng, self.request)

    def deliver(self, rng: Random) -> float:
        return self._draw(rng, self.delivery)

    def _draw(self, rng: Random, median: float) -> float:
        return rng.lognormvariate(math.log(median), self.sigma) if median > 0 else 0.0


@dataclass(slots=True)
class _Hooks:
    before: Before | None
    after: After | None


class InProcessKube:
    """One client's port. Its calls take time before the commit and after it.

    A process that is killed while it waits for the answer has written all the same, as over a
    real network. ``runtime`` is the calling process's; errors are those of the store.
    """

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        *,
        client: str = "beskar7-manager/in-process",
        latency: LatencyModel | None = None,
        before: Before | None = None,
        after: After | None = None,
        faults: ApiFaults | None = None,
        lens: Lens | None = None,
        limit: Callable[[], object] | None = None,
    ) -> None:
        """``limit`` is asked before each request, but for watches, and may make it wait."""
        self.client = client
        self._hooks = _Hooks(before, after)
        self._lens = lens
        self._limit = limit
        self._store = store
        self._runtime = runtime
        self._latency = latency or LatencyModel()
        self._rng = runtime.rng(f"kube-latency/{client}")
        self._delivery_rng = runtime.rng(f"kube-delivery/{client}")
        self._faulty = None if faults is None else FaultyCalls(faults, runtime, client)

    @property
    def before(self) -> Before | None:
        return self._hooks.before

    @before.setter
    def before(self, hook: Before | None) -> None:
        self._hooks.before = hook

    def with_timeout(self, seconds: float) -> Self:
        """The same client with another patience, and no limit of requests, as the client over HTTP
        has it (:meth:`beskar7.kube.client.KubeClient.with_timeout`). They share their hooks."""
        found = copy.copy(self)
        found._limit = None
        if self._faulty is not None:
            found._faulty = self._faulty.with_patience(seconds)
        return found

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return self._call(
            "get", kind, namespace, name, lambda: self._store.get(kind, namespace, name)
        ).copy()

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        predicate = self._predicate(kind, label_selector, field_selector)

        age = 0.0
        if self._lens is not None and predicate is None:
            age = self._lens.age(kind)

        def run() -> tuple[list[Entry], int]:
            if age:
                return list_at_age(self._store, kind, namespace, predicate, age)
            return self._store.list(kind, namespace, predicate), self._store.resource_version

        def aged(seconds: float) -> None:
            nonlocal age
            age = max(age, seconds)

        entries, version = self._call("list", kind, namespace, "", run, aged)
        return ObjectList([entry.copy() for entry in entries], str(version))

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> InProcessWatch:
        """Events in order, each a delivery latency after its commit; a bookmark at the end.

        Raises ``Expired`` at the first step when the version was compacted. Its ``close`` may be
        called from any task.
        """
        predicate = self._predicate(kind, label_selector, field_selector)
        ending = Ending(self._runtime)
        events = self._events(kind, namespace, resource_version, timeout, predicate, ending)
        return InProcessWatch(events, ending)

    def _events(
        self,
        kind: Kind,
        namespace: str | None,
        resource_version: str,
        timeout: float,
        predicate: Predicate | None,
        ending: Ending,
    ) -> Generator[WatchEvent, None, None]:
        runtime, woken = self._runtime, ending.woken
        end = runtime.now() + timeout
        forget: Callable[[], object] = _nothing

        watcher: Watcher | None = None
        follower = self._faulty.follow(kind, namespace) if self._faulty else None

        def run() -> Watcher:
            nonlocal watcher
            watcher = self._store.watch(
                kind,
                namespace,
                version=parse_version(resource_version),
                predicate=predicate,
                wake=woken.set,
            )
            return watcher

        try:
            # Inside: the process may die while the answer travels, with the watch registered.
            follow = self._call("watch", kind, namespace, "", run)
            forget = self._faulty.faults.subscribe(woken.set) if self._faulty else forget
            while True:
                woken.clear()
                if ending.closed:
                    return
                if follower is not None and follower.state() != "open":
                    if not self._sit_out(follower, woken, end):
                        return
                    continue
                taken = follow.take()
                if taken is None:
                    left = end - runtime.now()
                    if follow.closed:
                        return
                    if left <= 0 or not self._wait(woken, left):
                        break
                    continue
                type_, change = taken
                if follower is not None and follower.loses(
                    change.entry.namespace, change.entry.name
                ):
                    continue
                due = change.time + self._latency.deliver(self._delivery_rng)
                due += follower.lag() if follower is not None else 0.0
                if self._lens is not None:
                    told_at = self._lens.due(type_, change)
                    if told_at is None:
                        continue
                    due = max(due, told_at)
                if due > end:
                    return  # what is not delivered in time comes with the next watch
                if due > runtime.now() and ending.sleep(due - runtime.now()):
                    return
                yield WatchEvent(type_, change.state(type_).copy())
            with self._store.lock:
                seen = 0 if len(follow) else self._store.resource_version
            if seen:
                yield WatchEvent("BOOKMARK", bookmark(kind, seen))
        finally:
            forget()
            if watcher is not None:
                self._store.unwatch(watcher)

    def _wait(self, woken: Event, left: float) -> bool:
        """False when the time was over first. The begin or end of a fault is news as well."""
        now = self._runtime.now()
        change = self._faulty.faults.next_change(now) if self._faulty else None
        if change is None or change >= now + left:
            return woken.wait(left)
        woken.wait(max(0.0, change - now))
        return True

    def _sit_out(self, follower: Follower, woken: Event, end: float) -> bool:
        """A watch that hears nothing. False when the client gives it up.

        Raises ``ServiceUnavailable`` when the connection is cut.
        """
        if follower.state() == "cut":
            raise ServiceUnavailable("the watch broke off: connection reset by peer")
        left = end + WATCH_GRACE - self._runtime.now()
        return left > 0 and self._wait(woken, left)

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        sent = copy_json(obj)
        by = replace(self._by(), dry_run=dry_run)
        return self._write("create", kind, sent, lambda: self._store.create(kind, sent, call=by))

    def update(self, kind: Kind, obj: Object) -> Object:
        sent = copy_json(obj)
        return self._write(
            "update", kind, sent, lambda: self._store.update(kind, sent, call=self._by())
        )

    def update_status(self, kind: Kind, obj: Object) -> Object:
        sent = copy_json(obj)
        return self._write(
            "update_status",
            kind,
            sent,
            lambda: self._store.update_status(kind, sent, call=self._by()),
        )

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        type: Literal["merge", "json"] = "merge",
        subresource: str | None = None,
    ) -> Object:
        sent = copy_json(patch)
        status = subresource == "status"

        def run() -> Entry:
            return self._store.patch(
                kind, namespace, name, sent, type, status=status, call=self._by()
            )

        verb = "patch_status" if status else "patch"
        return self._call(verb, kind, namespace, name, run).copy()

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        def run() -> object:
            return self._store.delete(
                kind,
                namespace,
                name,
                uid=uid,
                resource_version=resource_version,
                call=self._by(),
            )

        self._call("delete", kind, namespace, name, run)

    def _by(self) -> Call:
        return Call(client=self.client, field_validation="Ignore")

    def _write(self, verb: str, kind: Kind, obj: Object, run: Callable[[], Entry]) -> Object:
        meta = obj.get("metadata") or {}
        namespace, name = meta.get("namespace"), meta.get("name") or meta.get("generateName")
        return self._call(verb, kind, namespace, name or "", run).copy()

    def _call(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        run: Callable[[], T],
        aged: Callable[[float], None] | None = None,
    ) -> T:
        where = f"{namespace or ''}/{name}"
        self._runtime.trace("kube", f"{self.client} {verb} {kind} {where}")
        if self._limit is not None and verb != "watch":
            self._limit()
        if self._hooks.before is not None:
            delay = self._hooks.before(verb, kind, namespace or "", name)
            if delay:
                self._runtime.sleep(delay)
        answer = self._answered(verb, kind, namespace, name, run, aged)
        if self._hooks.after is not None:
            self._hooks.after(verb, kind, namespace or "", name)
        return answer

    def _answered(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        run: Callable[[], T],
        aged: Callable[[float], None] | None,
    ) -> T:
        if self._faulty is None or not self._faulty.faults:
            return self._exchange(run)

        def perform(age: float) -> T:
            if aged is not None:
                aged(age)
            return self._exchange(run)

        return self._faulty.call(verb, kind, namespace, name, perform)

    def _exchange(self, run: Callable[[], T]) -> T:
        self._pause()
        try:
            with self._store.lock:
                return run()
        finally:
            # An answer travels back too, a refusal just as well.
            self._pause()

    def _pause(self) -> None:
        """Also a call that takes no time lets others run before it and after it."""
        self._runtime.sleep(self._latency.half(self._rng))

    def _predicate(self, kind: Kind, label: str | None, fields: str | None) -> Predicate | None:
        if not label and not fields:
            return None
        return compile_selectors(label, fields, self._store.resource(kind).selectable)


def _nothing() -> None:
    return None
