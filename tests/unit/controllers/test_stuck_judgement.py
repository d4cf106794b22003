"""When a host counts as stuck."""

from __future__ import annotations

import pytest

from beskar7.api.meta import rfc3339
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.controllers.stuck import TRANSITIONAL, time_left

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0


def left(state: str, *, since: float = 0.0, asked: float | None = None, **more):
    status: dict[str, object] = {"state": state, "stateSince": rfc3339(NOW - since)}
    if asked is not None:
        status["boot"] = {"requestedAt": rfc3339(NOW - asked)}
    facts = {"running": None, "waiting": False, "unanswerable": False} | more
    return time_left(
        PhysicalHost({"status": status}), wall=NOW, timeout=900.0, boot_timeout=1800.0, **facts
    )


@pytest.mark.upstream("U4")
@pytest.mark.parametrize("state", sorted(set(HostState) - set(TRANSITIONAL)))
def test_a_state_of_rest_is_never_stuck(state):
    assert left(state, since=1e7) is None


@pytest.mark.parametrize("state", TRANSITIONAL)
def test_a_transitional_state_in_which_nothing_goes_on(state):
    assert left(state, since=100) == 800
    assert left(state, since=1000) == -100


@pytest.mark.parametrize("state", TRANSITIONAL)
def test_waiting_for_a_turn_or_for_credentials_is_not_stuck(state):
    assert left(state, since=1e7, waiting=True) == 900
    assert left(state, since=1e7, unanswerable=True) is None


def test_an_operation_has_its_own_time():
    assert left("Deprovisioning", since=1e7, running=100.0) == 800
    assert left("Deprovisioning", since=1e7, running=901.0) == -1


def test_a_boot_has_the_longer_time_and_counts_from_its_request():
    assert left("Provisioning", since=1e7, asked=100, waiting=True) == 1700
    assert left("Provisioning", since=1e7, asked=1900, waiting=True) == -100
