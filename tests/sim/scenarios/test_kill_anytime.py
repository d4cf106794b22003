"""The scenario that kills leaders, in virtual time: with its own delays and with drawn ones."""

from __future__ import annotations

import pytest

from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", range(1, 7))
def test_nothing_is_lost_whenever_the_leader_dies(play, seed):
    rng = VirtualRuntime(seed).rng("test/kills")
    delays = tuple(f"acts.{3 * kill}.delay={rng.randrange(2000)}ms" for kill in range(5))
    result = play("kill-anytime", seed=seed, overrides=delays)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    assert {item.verdict for item in result.invariants} == {"held"}
