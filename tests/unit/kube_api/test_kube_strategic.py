"""Strategic merge patch of the built-in kinds: merge keys, directives, order."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.errors import BadRequest
from emulator.kube.kinds.registry import Registry
from emulator.kube.kinds.structure import Node, structure_of
from emulator.kube.patches.strategic import strategic_merge_patch

pytestmark = pytest.mark.unit

NODES = {resource.kind.kind: structure_of(resource) for resource in Registry()}


def node(kind: str, *path: str) -> Node:
    found = NODES[kind]
    for field in path:
        found = found.child(field)
    return found


POD = node("Deployment", "spec", "template", "spec")


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


def test_the_guides_patch_changes_one_container_and_nothing_else() -> None:
    target = {
        "spec": {
            "replicas": 3,
            "template": {
                "spec": {
                    "containers": [
                        {"name": "manager", "image": "m", "args": ["--old"], "env": [1]},
                        {"name": "side", "image": "s"},
                    ]
                }
            },
        }
    }
    patch = {
        "spec": {"template": {"spec": {"containers": [{"name": "manager", "args": ["--new"]}]}}}
    }
    kept = copy.deepcopy(target)
    merged = strategic_merge_patch(target, patch, NODES["Deployment"])
    expected = copy.deepcopy(target)
    expected["spec"]["template"]["spec"]["containers"][0]["args"] = ["--new"]  # type: ignore[index]  # plain JSON
    assert merged == expected
    assert target == kept


@pytest.mark.parametrize(
    ("field", "key", "item"),
    [
        ("containers", "name", {"image": "x"}),
        ("initContainers", "name", {"image": "x"}),
        ("volumes", "name", {"emptyDir": {}}),
        ("imagePullSecrets", "name", {}),
        ("hostAliases", "ip", {"hostnames": ["h"]}),
        ("topologySpreadConstraints", "topologyKey", {"maxSkew": 1}),
    ],
)
def test_lists_of_a_pod_are_joined_by_their_key(field: str, key: str, item: Any) -> None:
    target = {field: [{key: "a", **item}, {key: "b", **item}]}
    merged = strategic_merge_patch(target, {field: [{key: "b", "extra": 1}]}, POD)
    assert merged == {field: [{key: "a", **item}, {key: "b", **item, "extra": 1}]}
    merged = strategic_merge_patch(target, {field: [{key: "a", "$patch": "delete"}]}, POD)
    assert merged == {field: [{key: "b", **item}]}
    merged = strategic_merge_patch(target, {field: [{key: "c"}, {"$patch": "replace"}]}, POD)
    assert merged == {field: [{key: "c"}]}


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("env", "name"),
        ("ports", "containerPort"),
        ("volumeMounts", "mountPath"),
        ("volumeDevices", "devicePath"),
    ],
)
def test_lists_of_a_container_are_joined_by_their_key(field: str, key: str) -> None:
    target = {"containers": [{"name": "m", field: [{key: 1, "v": 1}, {key: 2, "v": 2}]}]}
    patch = {"containers": [{"name": "m", field: [{key: 2, "v": 3}]}]}
    merged = strategic_merge_patch(target, patch, POD)
    assert merged["containers"][0][field] == [{key: 1, "v": 1}, {key: 2, "v": 3}]


@pytest.mark.parametrize("field", ["tolerations", "readinessGates"])
def test_lists_without_a_key_are_replaced(field: str) -> None:
    """As the API reference has it: tolerations have no merge key."""
    merged = strategic_merge_patch({field: [{"key": "a"}]}, {field: [{"key": "b"}]}, POD)
    assert merged == {field: [{"key": "b"}]}


def test_ports_mean_something_else_in_a_service() -> None:
    spec = node("Service", "spec")
    target = {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}
    merged = strategic_merge_patch(target, {"ports": [{"port": 81, "name": "c"}]}, spec)
    assert merged == {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "c"}]}


def test_metadata_of_every_kind() -> None:
    for kind in NODES.values():
        meta = kind.child("metadata")
        target = {"finalizers": ["x", "y"], "ownerReferences": [{"uid": "1"}, {"uid": "2"}]}
        patch = {
            "finalizers": ["z"],
            "$deleteFromPrimitiveList/finalizers": ["x"],
            "ownerReferences": [{"uid": "1", "$patch": "delete"}],
        }
        merged = strategic_merge_patch(target, patch, meta)
        assert sorted(merged["finalizers"]) == ["y", "z"]
        assert merged["ownerReferences"] == [{"uid": "2"}]


def test_conditions_are_joined_by_type() -> None:
    target = {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]}
    patch = {"conditions": [{"type": "B", "status": "False"}]}
    merged = strategic_merge_patch(target, patch, node("Deployment", "status"))
    assert [each["status"] for each in merged["conditions"]] == ["True", "False"]


def test_null_deletes_and_maps_merge() -> None:
    target = {"data": {"a": "1", "b": "2"}}
    merged = strategic_merge_patch(target, {"data": {"a": None, "c": "3"}}, NODES["ConfigMap"])
    assert merged == {"data": {"b": "2", "c": "3"}}


def test_retain_keys_drops_what_it_does_not_name() -> None:
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    merged = strategic_merge_patch(target, patch, node("Deployment", "spec"))
    assert merged == {"strategy": {"type": "Recreate"}}
    bad = {"strategy": {"$retainKeys": ["type"], "other": 1}}
    with pytest.raises(BadRequest, match="retainKeys"):
        strategic_merge_patch(target, bad, node("Deployment", "spec"))


def test_replace_and_delete_of_an_object() -> None:
    target = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    spec = node("Deployment", "spec")
    replaced = {"strategy": {"$patch": "replace", "type": "Recreate"}}
    assert strategic_merge_patch(target, replaced, spec) == {"strategy": {"type": "Recreate"}}
    deleted = {"strategy": {"$patch": "delete"}}
    assert strategic_merge_patch(target, deleted, spec) == {"strategy": {}}


@pytest.mark.parametrize(
    ("before", "patch", "order", "expected"),
    [
        ("abc", "", "cab", "cab"),
        ("abc", "d", "adbc", "adbc"),
        ("abc", "", "ca", "bca"),  # b stands before c, which is asked for first
        ("ab", "c", None, "cab"),  # as on a real server: the patch's own items come first
        ("abc", "b", None, "abc"),
        ("", "ab", None, "ab"),
    ],
)
def test_the_order_of_a_list(before: str, patch: str, order: str | None, expected: str) -> None:
    body: dict[str, Any] = {"containers": [{"name": name} for name in patch]}
    if order is not None:
        body["$setElementOrder/containers"] = [{"name": name} for name in order]
    target = {"containers": [{"name": name} for name in before]}
    merged = strategic_merge_patch(target, body, POD)
    assert "".join(names(merged["containers"])) == expected


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"containers": [{"image": "1"}]}, 'no merge key "name"'),
        ({"containers": ["x"]}, "no merge key"),
        ({"$patch": "explode"}, "explode"),
        ({"$other": 1}, "directive"),
        ({"$setElementOrder/containers": 1}, "must be a list"),
        ({"$deleteFromPrimitiveList/x": 1}, "must be a list"),
        ({"$retainKeys": "x"}, "must be a list"),
    ],
)
def test_malformed_patches_are_refused(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        strategic_merge_patch({"containers": [{"name": "a"}]}, patch, POD)


def test_ports_of_one_number_and_two_protocols_stay_apart() -> None:
    ports = [{"containerPort": 53, "protocol": p} for p in ("TCP", "UDP")]
    target = {"containers": [{"name": "dns", "ports": ports}]}
    patch = {"containers": [{"name": "dns", "ports": [{"containerPort": 80}]}]}
    merged = strategic_merge_patch(target, patch, POD)["containers"][0]["ports"]
    assert sorted(map(str, merged)) == sorted(map(str, [*ports, {"containerPort": 80}]))


def test_a_large_list_takes_no_square_of_time() -> None:
    items = [{"name": f"n{index}"} for index in range(20_000)]
    merged = strategic_merge_patch({"containers": items}, {"containers": items[::-1]}, POD)
    assert len(merged["containers"]) == 20_000


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)
CONTAINERS = NAMES.map(lambda found: [{"name": name, "image": name} for name in found])


@given(CONTAINERS, CONTAINERS)
def test_a_patch_of_items_is_idempotent_and_keeps_the_rest(before: Any, patch: Any) -> None:
    once = strategic_merge_patch({"containers": before}, {"containers": patch}, POD)
    assert set(names(once["containers"])) == set(names(before)) | set(names(patch))
    assert (
        strategic_merge_patch(once, {"containers": patch}, POD)["containers"]
        == (once["containers"])
    )
    mine = [each for each in names(once["containers"]) if each in names(patch)]
    assert mine == names(patch)
