"""A live lab for tests: real processes, one per module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beskar7.kube.port import Kube
from scenarios.engine import trial
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load
from scenarios.engine.result import Result
from scenarios.engine.schema import Scenario

PATIENCE = 30.0
"""Seconds that a wait may take on a busy machine; it ends when the thing is seen."""


class Waiter:
    """Waits for objects by watching them, not by sleeping."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube

    def until(
        self, kind: Any, name: str, holds: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """The object once ``holds``; fails with its last state after PATIENCE seconds."""
        listed = self.kube.list(kind, "default", field_selector=f"metadata.name={name}")
        last = listed.items[0] if listed.items else {}
        if holds(last):
            return last
        watch = self.kube.watch(
            kind,
            "default",
            resource_version=listed.resource_version,
            timeout=PATIENCE,
            field_selector=f"metadata.name={name}",
        )
        for event in watch:
            if event.type == "BOOKMARK":
                continue
            last = {} if event.type == "DELETED" else event.object
            if holds(last):
                watch.close()
                return last
        pytest.fail(f"{kind} {name} did not get there; its last state: {last}")


@pytest.fixture(scope="module")
def world() -> Iterator[LiveWorld]:
    world = LiveWorld(load("smoke", ["world.hosts.count=3"]), seed=1)
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture(scope="module")
def waiter(world: LiveWorld) -> Waiter:
    return Waiter(world.kube)


@pytest.fixture
def waiter_on() -> type[Waiter]:
    """For tests that put up a world of their own."""
    return Waiter


@pytest.fixture
def play_live() -> Callable[[Scenario, int], Result]:
    """Plays a scenario with a seed in wall time and judges it."""

    def run(scenario: Scenario, seed: int) -> Result:
        return trial.play(scenario, seed, "live")

    return run
