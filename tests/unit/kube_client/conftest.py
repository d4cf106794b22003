"""Shared by the tests of beskar7.kube: one test body on both runtimes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import Kind
from beskar7.runtime import LiveRuntime, Runtime, VirtualRuntime
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.world import new_store

Run = Callable[[Callable[[Runtime], Any]], Any]


@pytest.fixture(params=["live", "virtual"])
def run(request: pytest.FixtureRequest) -> Run:
    """``run(main)`` calls ``main(runtime)`` on threads, or in virtual time."""

    def on_threads(main: Callable[[Runtime], Any]) -> Any:
        return main(LiveRuntime(seed=7))

    return on_threads if request.param == "live" else in_virtual_time


def in_virtual_time(main: Callable[[Runtime], Any]) -> Any:
    runtime = VirtualRuntime(7)
    return runtime.run(main, runtime, until=100_000.0)


class World:
    """A store and its clients; ``down`` names the clients that do not reach it ("*": nobody)."""

    def __init__(self, runtime: Runtime, latency: float = 0.0) -> None:
        self.runtime = runtime
        self.store = new_store(runtime)
        self.down: set[str] = set()
        self.calls: list[tuple[float, str, str]] = []
        self._latency = LatencyModel(request=latency, delivery=latency)

    def kube(self, client: str = "client", runtime: Runtime | None = None) -> InProcessKube:
        """A port of its own; ``runtime`` is the process in which it is used."""

        def before(verb: str, kind: Kind, namespace: str, name: str) -> float | None:
            self.calls.append((self.runtime.now(), client, verb))
            if self.down & {client, "*"}:
                raise ServiceUnavailable("partitioned")
            return None

        return InProcessKube(
            self.store,
            runtime or self.runtime,
            client=client,
            latency=self._latency,
            before=before,
        )

    def versions(self, kind: Kind) -> dict[str, str]:
        """What there is: resourceVersion by name."""
        with self.store.lock:
            return {entry.name: str(entry.version) for entry in self.store.list(kind)}


@pytest.fixture
def world() -> type[World]:
    return World
