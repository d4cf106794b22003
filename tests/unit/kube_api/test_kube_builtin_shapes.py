"""Built-in kinds of any shape: stored or refused in words, never a crash."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beskar7.api.errors import ApiError
from beskar7.runtime import VirtualRuntime
from emulator.kube.kinds.registry import Resource
from emulator.kube.tables.table import row
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

CONTAINER = {
    "name": "c",
    "image": "x",
    "ports": [{"containerPort": 80}],
    "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "resources": {"limits": {"cpu": "1"}},
    "readinessProbe": {"httpGet": {"port": "probes"}},
}
POD = {"containers": [CONTAINER], "volumes": [{"name": "v", "secret": {"secretName": "s"}}]}
SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
WORKLOAD = {
    "selector": SELECTOR,
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD},
}
BODIES: dict[str, dict[str, Any]] = {
    "pods": {"spec": POD},
    "deployments": {"spec": {**WORKLOAD, "strategy": {"type": "RollingUpdate"}}},
    "replicasets": {"spec": WORKLOAD},
    "services": {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}},
    "nodes": {"spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    "networkpolicies": {"spec": {"podSelector": SELECTOR, "egress": [{}]}},
    "roles": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "rolebindings": {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "default"}],
    },
    "events": {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"}},
    "endpoints": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
}
JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(0, 1), st.text(max_size=5)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["name", "a"]), inner)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        found += places(child, (*path, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    copied = copy.deepcopy(value)
    at = copied
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = junk
    return copied


STORE = new_store(VirtualRuntime(seed=1), crds=[])


def resource(plural: str) -> Resource:
    return next(each for each in STORE.registry if each.kind.plural == plural and not each.view)


def test_the_bodies_are_good_ones() -> None:
    for plural, body in BODIES.items():
        kind = resource(plural).kind
        meta = {"generateName": "good-", "namespace": "default"}
        assert STORE.create(kind, {"metadata": meta, **copy.deepcopy(body)}).obj


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_body_is_stored_and_shown_or_refused(data: st.DataObject) -> None:
    plural = data.draw(st.sampled_from(sorted(BODIES)))
    found = resource(plural)
    body = BODIES[plural]
    path = data.draw(st.sampled_from(places(body)))
    sent = replaced(body, path, data.draw(JUNK))
    meta = {"generateName": "any-", "namespace": "default"}
    try:
        made = STORE.create(found.kind, {"metadata": meta, **sent})
    except ApiError:
        return
    assert row(found, made.obj, "Object", 0.0)["cells"]
    again = replaced(body, path, data.draw(JUNK))
    version = {"resourceVersion": str(made.version), "namespace": "default", "name": made.name}
    try:
        changed = STORE.update(found.kind, {"metadata": version, **again})
    except ApiError:
        return
    assert row(found, changed.obj, "Object", 0.0)["cells"]
