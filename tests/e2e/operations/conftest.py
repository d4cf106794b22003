"""One lab for all tests of the operators' commands, its managers pods of the Deployment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beskar7.operations.live import LiveCluster
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load

SCENARIO = [
    "world.hosts.count=3",
    "world.managers.replicas=2",
    "world.config.provisioning.workerCount=8",
]
FAST = {
    "leader-elect-lease-duration": "4s",
    "leader-elect-renew-deadline": "3s",
    "leader-elect-retry-period": "500ms",
}
"""The least that the flags take: a test waits for a lease to run out."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorld]:
    scenario = load("smoke", SCENARIO)
    scenario.world.managers.args.update(FAST)
    world = LiveWorld(scenario, seed=1, directory=tmp_path_factory.mktemp("lab"), deployed=True)
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture(scope="module")
def cluster(world: LiveWorld) -> Iterator[LiveCluster]:
    cluster = LiveCluster.from_kubeconfig(world.lab.kubeconfig)
    yield cluster
    cluster.close()
