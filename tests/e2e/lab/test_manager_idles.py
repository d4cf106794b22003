"""A manager that has nothing to do: its main thread sleeps until it is told to end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beskar7.api.kinds import LEASE
from scenarios.engine.expand import SYSTEM_NAMESPACE
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="no /proc to look into"),
]
RETRY = "world.managers.args.leader-elect-retry-period=400ms"


@pytest.fixture
def world() -> Iterator[LiveWorld]:
    made = LiveWorld(load("smoke", ["world.hosts.count=1", RETRY]), seed=1)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_the_main_thread_of_a_manager_does_not_look_whether_to_end(world: LiveWorld) -> None:
    kube = world.kube
    manager = world.lab.start_manager("another", {})
    manager.wait_ready(30)
    listed = kube.list(LEASE, SYSTEM_NAMESPACE)
    renewals = kube.watch(
        LEASE, SYSTEM_NAMESPACE, resource_version=listed.resource_version, timeout=30
    )
    counts = [switches(manager.pid) for _, _ in zip(range(8), renewals, strict=False)]
    assert len(counts) == 8
    # The first ones may be of its start.
    assert counts[-1] == counts[2]


def switches(pid: int) -> int:
    """How often its main thread has waited."""
    status = Path(f"/proc/{pid}/task/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE)
    assert found is not None
    return int(found.group(1))
