"""Server-side apply: ownership, conflicts, removal, list types, and the owners of other writes."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.errors import BadRequest, Conflict, Invalid, NotFound
from beskar7.api.kinds import CONFIG_MAP, CRD, PHYSICAL_HOST, Kind
from beskar7.api.objects import Object
from beskar7.runtime import VirtualRuntime
from emulator.kube.patches import fieldset
from emulator.kube.patches.managedfields import ANCIENT, MAX_UPDATERS
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
THING = Kind("example.com", "v1", "Thing", "things")


def apply(
    store: Store, kind: Kind, config: Object, manager: str = "a", **options: Any
) -> dict[str, Any]:
    status = options.pop("status", False)
    sent = {"apiVersion": kind.api_version, "kind": kind.kind, **config}
    meta = sent["metadata"] = {"name": "x", **config.get("metadata", {})}
    call = Call(client="test/1", field_manager=manager, **options)
    return store.patch(
        kind, "default", meta["name"], sent, "apply", status=status, call=call
    ).copy()


def config_map(**data: str) -> Object:
    return {"data": data}


def owners(obj: Object) -> dict[tuple[str, str], set[str]]:
    return {
        (entry["manager"], entry["operation"]): {
            fieldset.shown(path) for path in fieldset.decode(entry["fieldsV1"])
        }
        for entry in obj["metadata"].get("managedFields", ())
    }


def update(store: Store, obj: Object, manager: str, kind: Kind = CONFIG_MAP) -> Object:
    return store.update(kind, obj, call=Call(client=f"{manager}/1")).copy()


def test_apply_creates_and_then_changes(store: Store) -> None:
    made = apply(store, CONFIG_MAP, config_map(a="1", b="1"))
    assert owners(made) == {("a", "Apply"): {".data.a", ".data.b"}}
    changed = apply(store, CONFIG_MAP, config_map(a="2"))
    assert changed["data"] == {"a": "2"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]


def test_the_same_apply_again_changes_nothing(store: Store) -> None:
    first = apply(store, CONFIG_MAP, config_map(a="1"))
    assert apply(store, CONFIG_MAP, config_map(a="1")) == first


def test_a_field_of_another_is_a_conflict_with_its_cause(store: Store) -> None:
    apply(store, CONFIG_MAP, config_map(a="1", b="1"))
    with pytest.raises(Conflict) as caught:
        apply(store, CONFIG_MAP, config_map(a="2", c="3"), "b")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "a": .data.a'
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "a"', "field": ".data.a"}
    ]
    with pytest.raises(Conflict, match=r"2 conflicts: conflicts with \"a\":\n- .data.a\n- .data.b"):
        apply(store, CONFIG_MAP, config_map(a="2", b="2"), "b")
    forced = apply(store, CONFIG_MAP, config_map(a="2", c="3"), "b", force=True)
    assert forced["data"] == {"a": "2", "b": "1", "c": "3"}
    assert owners(forced) == {
        ("a", "Apply"): {".data.b"},
        ("b", "Apply"): {".data.a", ".data.c"},
    }


def test_the_same_value_is_shared(store: Store) -> None:
    apply(store, CONFIG_MAP, config_map(a="1"))
    shared = apply(store, CONFIG_MAP, config_map(a="1"), "b")
    assert owners(shared) == {("a", "Apply"): {".data.a"}, ("b", "Apply"): {".data.a"}}
    left = apply(store, CONFIG_MAP, {}, "a")
    assert left["data"] == {"a": "1"}
    assert owners(left) == {("b", "Apply"): {".data.a"}}
    assert "data" not in apply(store, CONFIG_MAP, {}, "b")


def test_an_update_takes_what_it_changes(store: Store) -> None:
    made = apply(store, CONFIG_MAP, config_map(a="1", b="1"))
    made["data"] |= {"a": "2", "c": "3"}
    changed = update(store, made, "editor")
    assert owners(changed) == {
        ("a", "Apply"): {".data.b"},
        ("editor", "Update"): {".data.a", ".data.c"},
    }
    with pytest.raises(Conflict, match=r'conflict with "editor" using v1 at 2026-.*: .data.a'):
        apply(store, CONFIG_MAP, config_map(a="1", b="1"))
    del changed["data"]["c"]
    assert owners(update(store, changed, "other"))["editor", "Update"] == {".data.a"}


def test_a_dry_run_tells_all_and_writes_nothing(store: Store) -> None:
    tried = apply(store, CONFIG_MAP, config_map(a="1"), dry_run=True)
    assert tried["data"] == {"a": "1"}
    assert "resourceVersion" not in tried["metadata"]
    with pytest.raises(NotFound):
        store.get(CONFIG_MAP, "default", "x")
    made = apply(store, CONFIG_MAP, config_map(a="1"))
    with pytest.raises(Conflict):
        apply(store, CONFIG_MAP, config_map(a="2"), "b", dry_run=True)
    tried = apply(store, CONFIG_MAP, config_map(a="2"), dry_run=True)
    assert tried["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert store.get(CONFIG_MAP, "default", "x").obj["data"] == {"a": "1"}


def container(name: str, **more: Any) -> Object:
    return {"name": name, "image": "i", **more}


def deployment(*containers: Object) -> Object:
    labels = {"app": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
    return {"spec": {"selector": {"matchLabels": labels}, "template": template}}


def containers(obj: Object) -> list[Any]:
    found: list[Any] = obj["spec"]["template"]["spec"]["containers"]
    return found


def test_items_of_lists_have_owners_of_their_own(store: Store) -> None:
    port = {"containerPort": 80}
    apply(store, DEPLOYMENT, deployment(container("m", args=["1"], ports=[port])))
    second = {"spec": {"template": {"spec": {"containers": [container("side")]}}}}
    both = apply(store, DEPLOYMENT, second, "b")
    assert [each["name"] for each in containers(both)] == ["m", "side"]
    at = '.spec.template.spec.containers[name="m"]'
    mine = owners(both)["a", "Apply"]
    assert {at, f"{at}.args", f'{at}.ports[containerPort=80,protocol="TCP"]'} <= mine
    third = {"spec": {"template": {"spec": {"containers": [container("m", args=["2"])]}}}}
    with pytest.raises(Conflict, match=r'containers\[name="m"\].args'):
        apply(store, DEPLOYMENT, third, "b")
    without_ports = apply(store, DEPLOYMENT, deployment(container("m", args=["1"])))
    assert "ports" not in containers(without_ports)[0]
    gone = apply(store, DEPLOYMENT, {"spec": {}}, "b")
    assert [each["name"] for each in containers(gone)] == ["m"]


def test_what_a_default_filled_in_belongs_to_no_applier(store: Store) -> None:
    made = apply(store, DEPLOYMENT, deployment(container("m")))
    assert made["spec"]["replicas"] == 1
    assert not any("replicas" in path for path in owners(made)["a", "Apply"])
    assert apply(store, DEPLOYMENT, {"spec": {"replicas": 3}}, "scaler")["spec"]["replicas"] == 3
    again = apply(store, DEPLOYMENT, deployment(container("m")))
    assert again["spec"]["replicas"] == 3


def test_status_and_the_rest_are_applied_apart(store: Store) -> None:
    apply(store, DEPLOYMENT, {**deployment(container("m")), "status": {"replicas": 9}})
    assert "replicas" not in store.get(DEPLOYMENT, "default", "x").obj.get("status", {})
    told = apply(store, DEPLOYMENT, {"status": {"replicas": 2}}, "a", status=True)
    assert told["status"]["replicas"] == 2
    subresources = {entry.get("subresource") for entry in told["metadata"]["managedFields"]}
    assert subresources == {None, "status"}
    assert containers(told)
    with pytest.raises(NotFound):
        apply(store, DEPLOYMENT, {"metadata": {"name": "absent"}, "status": {}}, status=True)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"apiVersion": ""}, BadRequest, "apiVersion"),
        ({"kind": "Secret"}, BadRequest, "kind"),
        ({"metadata": {"name": "x", "managedFields": []}}, BadRequest, "must be nil"),
        ({"metadata": {"name": "y"}}, BadRequest, "name"),
        ({"metadata": None}, BadRequest, "metadata"),
        ({"data": {"a": 1}}, Invalid, "data"),
    ],
)
def test_bad_configurations(
    store: Store, change: Object, error: type[Exception], words: str
) -> None:
    sent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, **change}
    with pytest.raises(error, match=words):
        store.patch(CONFIG_MAP, "default", "x", sent, "apply", call=Call(field_manager="a"))


def test_items_must_have_their_keys(store: Store) -> None:
    with pytest.raises(BadRequest, match=r"containers.*told apart by name"):
        apply(store, DEPLOYMENT, deployment({"image": "x"}))


def test_preconditions_in_the_configuration(store: Store) -> None:
    made = apply(store, CONFIG_MAP, config_map(a="1"))
    version = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    changed = apply(store, CONFIG_MAP, {**version, **config_map(a="2")})
    assert changed["data"] == {"a": "2"}
    with pytest.raises(Conflict, match="has been modified"):
        apply(store, CONFIG_MAP, {**version, **config_map(a="3")})


def things(**properties: Any) -> Object:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    return {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [version],
        },
    }


def test_custom_resources_say_how_their_lists_merge(store: Store) -> None:
    texts = {"type": "array", "items": {"type": "string"}}
    items = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "v": {"type": "string"}},
    }
    store.create(
        CRD,
        things(
            whole=texts,
            tags={**texts, "x-kubernetes-list-type": "set"},
            parts={
                "type": "array",
                "items": items,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
            },
            ref={
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            },
        ),
    )
    first = {
        "whole": ["a"], "tags": ["a"], "parts": [{"id": 1, "v": "a"}], "ref": {"a": "1"},
    }  # fmt: skip
    second = {"tags": ["b"], "parts": [{"id": 2, "v": "b"}]}
    apply(store, THING, {"spec": first})
    both = apply(store, THING, {"spec": second}, "b")["spec"]
    assert sorted(both["tags"]) == ["a", "b"]
    assert sorted(part["id"] for part in both["parts"]) == [1, 2]
    with pytest.raises(Conflict, match=r"\.spec\.whole"):
        apply(store, THING, {"spec": {**second, "whole": ["b"]}}, "b")
    with pytest.raises(Conflict, match=r"\.spec\.ref$"):
        apply(store, THING, {"spec": {**second, "ref": {"a": "1", "b": "2"}}}, "b")
    left = apply(store, THING, {"spec": {"whole": ["a"]}})["spec"]
    assert left == {"whole": ["a"], **second}


def test_kubectl_takes_over_what_it_applied_from_the_client(store: Store) -> None:
    """From ``kubectl apply`` to ``kubectl apply --server-side`` without a conflict of its own."""
    sent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "1"}}
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    live = copy.deepcopy(sent)
    live["metadata"] |= {  # type: ignore[operator]  # plain JSON
        "namespace": "default", "annotations": {annotation: orjson.dumps(sent).decode()},
    }  # fmt: skip
    store.create(CONFIG_MAP, live, call=Call(field_manager="kubectl-client-side-apply"))
    with pytest.raises(Conflict):
        apply(store, CONFIG_MAP, config_map(a="2"), "somebody")
    taken = apply(store, CONFIG_MAP, config_map(a="2"), "kubectl")
    assert taken["data"] == {"a": "2"}
    assert orjson.loads(taken["metadata"]["annotations"][annotation])["data"] == {"a": "2"}


def test_clients_may_reset_and_edit_managed_fields(store: Store) -> None:
    made = apply(store, CONFIG_MAP, config_map(a="1"))
    made["metadata"]["managedFields"] = [{"what": "is this"}]
    assert owners(update(store, made, "e")) == {("a", "Apply"): {".data.a"}}
    fields = store.get(CONFIG_MAP, "default", "x").copy()
    fields["metadata"]["managedFields"][0]["manager"] = "renamed"
    assert set(owners(update(store, fields, "e"))) == {("renamed", "Apply")}
    reset = store.get(CONFIG_MAP, "default", "x").copy()
    reset["metadata"]["managedFields"] = []
    assert owners(update(store, reset, "e")) == {}
    with pytest.raises(BadRequest, match="managedFields"):
        update(store, {**reset, "metadata": {**reset["metadata"], "managedFields": "x"}}, "e")


def test_many_updaters_are_merged(store: Store) -> None:
    store.create(CONFIG_MAP, {"metadata": {"name": "x", "namespace": "default"}})
    for number in range(2 * MAX_UPDATERS):
        obj = store.get(CONFIG_MAP, "default", "x").copy()
        obj.setdefault("data", {})[f"k{number}"] = "v"
        update(store, obj, f"m{number:02}")
    found = owners(store.get(CONFIG_MAP, "default", "x").obj)
    assert len(found) == MAX_UPDATERS
    assert {f".data.k{n}" for n in range(2 * MAX_UPDATERS)} <= set().union(*found.values())
    assert (ANCIENT, "Update") in found


def test_without_field_owners_they_begin_with_the_first_apply(runtime: VirtualRuntime) -> None:
    store = new_store(runtime, field_owners=False)
    made = store.create(
        CONFIG_MAP, {"metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1"}}
    ).copy()
    assert "managedFields" not in made["metadata"]
    applied = apply(store, CONFIG_MAP, config_map(b="1"))
    assert owners(applied) == {("a", "Apply"): {".data.b"}}
    applied["data"]["a"] = "2"
    assert owners(update(store, applied, "e"))["e", "Update"] == {".data.a"}


def test_nothing_of_the_status_is_owned_by_who_writes_the_rest(store: Store, host: Any) -> None:
    made = store.create(PHYSICAL_HOST, host(), call=Call(client="c/1")).copy()
    made["status"] = {"state": "Available"}
    told = store.update_status(PHYSICAL_HOST, made, call=Call(client="m/1")).copy()
    found = {
        (entry["manager"], entry.get("subresource", "")): fieldset.decode(entry["fieldsV1"])
        for entry in told["metadata"]["managedFields"]
    }
    assert {path[0] for path in found["c", ""]} == {"f:spec"}
    assert {path[0] for path in found["m", "status"]} == {"f:status"}


KEYS = st.sampled_from("abc")
DATA = st.dictionaries(KEYS, st.sampled_from("12"), max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "update"]), DATA), max_size=8))
def test_whoever_applies_gets_what_it_asked_for(steps: list[tuple[str, dict[str, str]]]) -> None:
    """After any history, a forced apply leaves its own fields as applied and takes away only what
    no other manager holds."""
    store = new_store(VirtualRuntime(seed=1), crds=[])
    wanted: dict[str, dict[str, str]] = {}
    for who, data in [("a", {}), *steps]:
        if who == "update":
            obj = store.get(CONFIG_MAP, "default", "x").copy()
            changed = update(store, {**obj, "data": data}, "u")
            assert changed.get("data", {}) == data
            continue
        before = store.get(CONFIG_MAP, "default", "x").obj if wanted else {"metadata": {}}
        held = owners(before)
        after = apply(store, CONFIG_MAP, {"data": data}, who, force=True).get("data", {})
        wanted[who] = data
        assert data.items() <= after.items()
        for key, value in before.get("data", {}).items():
            others = any(
                f".data.{key}" in paths for owner, paths in held.items() if owner != (who, "Apply")
            )
            mine = f".data.{key}" in held.get((who, "Apply"), ())
            if key not in data:
                assert (after.get(key) == value) is (others or not mine)


FIELDS: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"1"', "."]), inner, max_size=3
    ),
    max_leaves=8,
)


@given(FIELDS)
def test_a_set_survives_its_encoding(fields: Any) -> None:
    paths = fieldset.decode(fields)
    assert fieldset.decode(orjson.loads(orjson.dumps(fieldset.encode(paths)))) == paths
