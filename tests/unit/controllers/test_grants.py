"""Who may write to a host's BMC, and from when on nobody may."""

from __future__ import annotations

import pytest

from beskar7.api.resources import PhysicalHost
from beskar7.controllers.grants import Grant, Grants, Revoked
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit

RUNTIME = LiveRuntime(seed=1)


def host(version: str) -> PhysicalHost:
    return PhysicalHost(
        {"metadata": {"name": "h", "namespace": "default", "resourceVersion": version}}
    )


def grant() -> Grant:
    return Grant(RUNTIME, lambda: None)


def test_who_is_revoked_does_not_write_again_but_another_may() -> None:
    grants, first, second = Grants(RUNTIME), grant(), grant()
    assert grants.add(host("7"), first)
    assert grants.revoke(host("7").key)
    with pytest.raises(Revoked), first.writing():
        pass
    assert grants.add(host("7"), second)
    with second.writing():
        assert not grants.revoke(host("7").key), "a write is under way"


def test_a_host_that_is_given_back_has_to_change_before_anybody_writes_again() -> None:
    """The update may be carried out at any time, until it no longer fits."""
    grants, running = Grants(RUNTIME), grant()
    assert grants.add(host("7"), running)
    assert grants.bar(host("7"))
    with pytest.raises(Revoked), running.writing():
        pass
    assert not grants.add(host("7"), grant())
    assert grants.add(host("8"), grant())


def test_a_new_host_of_a_former_name_is_not_barred() -> None:
    grants = Grants(RUNTIME)
    grants.bar(host("7"))
    grants.forget(host("7").key)
    assert grants.add(host("7"), grant())
