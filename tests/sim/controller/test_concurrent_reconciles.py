"""As many reconciles at once as is configured, and no two of one object."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from beskar7.controllers.claims import Claims

pytestmark = pytest.mark.sim

SLOW = 0.2
"""Seconds that the API takes for each update of a host, so that claims overlap."""
MACHINES = 30


@pytest.mark.upstream("U13")
@pytest.mark.parametrize("configured", [1, 4, 10])
def test_so_many_claims_run_at_once(in_world, monkeypatch, configured):
    inside: Counter[str] = Counter()
    most: list[int] = []
    claim = Claims.claim

    def counted(self: Claims, machine: Any) -> Any:
        inside[machine.name] += 1
        assert inside[machine.name] == 1, "two reconciles of one machine"
        most.append(inside.total())
        try:
            return claim(self, machine)
        finally:
            inside[machine.name] -= 1

    monkeypatch.setattr(Claims, "claim", counted)

    def body(driver: Any) -> None:
        slow = {"target": "api", "id": "slow", "kind": "latency"}
        select = {"kinds": ["PhysicalHost"], "verbs": ["update"]}
        driver.world.add_fault(slow | {"latency": {"mean": SLOW}, "select": select})
        driver.create_machines(MACHINES)
        took = driver.until(lambda: len(driver.owners()) == MACHINES, "claimed")
        assert max(most) == configured
        assert took < MACHINES * SLOW / configured * 2 + 1.0

    config = {"reconcile.maxConcurrentReconciles": str(configured)}
    in_world(body, hosts=2 * MACHINES, config=config)
