"""kill -9 of the leader's process at moments that a seed draws; in virtual time at every call.

``tests/sim/scenarios/test_kill_at_every_door.py`` is the enumeration, this is the sample.
"""

from __future__ import annotations

import pytest

from beskar7.runtime import LiveRuntime
from scenarios.engine.history import phase
from scenarios.engine.loader import load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SEED = 11
KILLS = 5
WINDOW = 1.5
"""Seconds from a round's first claim, in which its machines are claimed and provisioned."""


def drawn(seed: int) -> list[str]:
    """The scenario's delays, drawn anew. Its acts are kill, start, create, and so on."""
    rng = LiveRuntime(seed).rng("test/kills")
    return [
        f"acts.{3 * kill}.delay={round(rng.uniform(0, 1000 * WINDOW))}ms" for kill in range(KILLS)
    ]


def test_whoever_dies_in_mid_claim_or_provisioning_the_next_one_finishes(play_live) -> None:
    result = play_live(load("kill-anytime", drawn(SEED)), SEED)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    history = result.evidence.history
    kills = [i.time for i in result.evidence.incidents if i.kind == "kill-manager"]
    assert len(kills) == KILLS
    unfinished = [
        any(
            (machine := track.at(kill)) is not None and phase(machine) != "Provisioned"
            for track in history.machines.values()
        )
        for kill in kills
    ]
    assert sum(unfinished) >= KILLS - 1, "killed when there was nothing to lose"
    assert {phase(track.last) for track in history.machines.values()} == {"Provisioned"}
