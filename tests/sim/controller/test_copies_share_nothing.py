"""What is changed is a copy: objects in caches are what the server has, whoever worked on them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.objects import copy_json
from beskar7.api.resources import PhysicalHost
from beskar7.controllers.environment import Environment

pytestmark = pytest.mark.sim

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


def containers(value: Any) -> list[Any]:
    """Every list and object in it, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict | list) else []
    return own + [found for each in inner for found in containers(each)]


@pytest.mark.upstream("U32")
@given(JSON)
def test_no_part_of_a_copy_is_part_of_the_original(value: Any) -> None:
    copied = copy_json(value)
    assert copied == value
    assert not {id(each) for each in containers(copied)} & {id(each) for each in containers(value)}


@pytest.mark.upstream("U32")
def test_a_hosts_copy_has_a_connection_of_its_own() -> None:
    connection = {"address": "https://10.0.0.1", "insecureSkipVerify": False}
    host = PhysicalHost({"metadata": {"name": "h"}, "spec": {"redfishConnection": connection}})
    copied = Environment.copy(host)
    copied.raw["spec"]["redfishConnection"]["insecureSkipVerify"] = True
    assert connection["insecureSkipVerify"] is False


@pytest.mark.upstream("U32")
def test_reconcilers_leave_what_is_in_the_caches_as_the_server_sent_it(in_world: Any) -> None:
    def body(driver: Any) -> None:
        manager = driver.manager(driver.holder("beskar7-controller-manager"))[1]
        driver.world.add_fault(
            {"id": "some", "kind": "error", "status": 500, "probability": 0.2, "select": {}}
        )
        driver.create_machines(6)
        seen: dict[tuple[str, str], dict[str, Any]] = {}
        for _ in range(240):
            for kind in (PHYSICAL_HOST, BESKAR7_MACHINE):
                for raw in manager._term._caches.cache(kind).list():
                    meta = raw["metadata"]
                    key = (meta["uid"], meta["resourceVersion"])
                    # One version is one content, now and for as long as it is kept.
                    assert seen.setdefault(key, copy_json(raw)) == raw, f"{kind} {meta['name']}"
            driver.runtime.sleep(0.25)
        assert len(seen) > 6 * 5, "there was work"
        for host in driver.hosts().values():
            version = (host["metadata"]["uid"], host["metadata"]["resourceVersion"])
            assert seen.get(version, host) == host

    in_world(body, hosts=6)
