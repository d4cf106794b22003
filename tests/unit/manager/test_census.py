"""Gauges say what there is: after any history they equal a count of what is left."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from beskar7.api.states import HostState
from beskar7.census import Census
from beskar7.controller_metrics import ControllerMetrics

pytestmark = pytest.mark.unit

STATES = [state.value for state in HostState]


def host(name: str, state: str, *, owned: bool = False, reason: str = "") -> dict[str, Any]:
    conditions = [{"type": "HostProvisioned", "status": "False", "reason": reason}]
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"consumerRef": {"name": "m", "uid": "u"}} if owned else {},
        "status": {"state": state, "conditions": conditions if reason else []},
    }


def census() -> tuple[Census, CollectorRegistry]:
    registry = CollectorRegistry()
    return Census(ControllerMetrics(registry)), registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"beskar7_controller_{name}", labels)


@pytest.mark.upstream("U24")
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.one_of(st.none(), st.sampled_from(STATES)), st.booleans()
        ),
        max_size=40,
    )
)
def test_the_gauges_equal_a_count_after_any_history(
    history: list[tuple[str, str | None, bool]],
) -> None:
    counting, registry = census()
    there: dict[str, dict[str, Any]] = {}
    for name, state, owned in history:
        old = there.pop(name, None)
        new = None if state is None else host(name, state, owned=owned)
        if new is not None:
            there[name] = new
        if old is not None or new is not None:
            counting.host_changed(old, new)
    states = Counter(each["status"]["state"] or "None" for each in there.values())
    for state in STATES:
        found = value(
            registry, "physicalhost_states_total", state=state or "None", namespace="default"
        )
        assert (found or 0.0) == states[state or "None"]
    owned_now = sum("consumerRef" in each["spec"] for each in there.values())
    mappings = value(registry, "physicalhost_consumer_mappings_total", namespace="default")
    assert (mappings or 0.0) == owned_now
    share = states["Available"] / len(there) if there else 0.0
    assert (value(registry, "physicalhost_availability", namespace="default") or 0.0) == share


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        ("Provisioned", "success", ""),
        ("Error", "error", "Unreachable"),
        ("Deprovisioning", "cancelled", ""),
    ],
)
def test_a_provisioning_is_counted_once_by_how_it_ended(
    end: str, outcome: str, reason: str
) -> None:
    counting, registry = census()
    before = host("a", "Provisioning", owned=True)
    before["status"]["boot"] = {"mode": "PXE"}
    before["spec"]["boot"] = {"osFamily": "flatcar"}
    after = host("a", end, owned=True, reason=reason)
    counting.host_changed(before, after)
    counting.host_changed(after, after)
    labels = {"outcome": outcome, "namespace": "default", "error_type": reason}
    assert value(registry, "physicalhost_provisioning_total", **labels) == 1.0
    labels = {"mode": "PXE", "os_family": "flatcar", "outcome": outcome, "namespace": "default"}
    assert value(registry, "beskar7machine_boot_configurations_total", **labels) == 1.0


def test_a_term_that_is_over_counts_nothing() -> None:
    counting, registry = census()
    counting.host_changed(None, host("a", "Available"))
    counting.close()
    assert list(registry.collect()) != []
    labels = {"state": "Available", "namespace": "default"}
    assert value(registry, "physicalhost_states_total", **labels) is None
