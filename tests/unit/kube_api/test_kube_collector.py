"""The server's own controllers: namespaces, owner references, definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beskar7.api.errors import Forbidden, Invalid, NotFound
from beskar7.api.kinds import CONFIG_MAP, CRD, NAMESPACE, Kind
from emulator.kube.store.collector import COLLECTOR, NAMESPACES, Collector
from emulator.kube.store.store import Store
from emulator.kube.world import BadDefinition, load_crds

pytestmark = pytest.mark.unit

WIDGET = Kind("example.com", "v1", "Widget", "widgets")


def config_map(name: str, namespace: str = "default", **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **meta}}


def owned_by(*owners: Any) -> dict[str, Any]:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name, "uid": owner.uid}
        for owner in owners
    ]
    return {"ownerReferences": references}


def names(store: Store, kind: Kind = CONFIG_MAP) -> list[str]:
    return [entry.name for entry in store.list(kind)]


def widgets() -> dict[str, Any]:
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {"size": {"type": "integer", "default": 1}},
                                }
                            },
                        }
                    },
                }
            ],
        },
    }


def widget(name: str, **meta: Any) -> dict[str, Any]:
    obj = config_map(name, **meta)
    return {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {}, **obj}


def test_dependents_go_with_their_last_owner(store: Store) -> None:
    first, second = (store.create(CONFIG_MAP, config_map(name)) for name in ("o1", "o2"))
    child = store.create(CONFIG_MAP, config_map("child", **owned_by(first, second)))
    store.create(CONFIG_MAP, config_map("grandchild", **owned_by(child)))
    store.delete(CONFIG_MAP, "default", "o1")
    assert names(store) == ["child", "grandchild", "o2"]
    (left,) = store.get(CONFIG_MAP, "default", "child").obj["metadata"]["ownerReferences"]
    assert left["uid"] == second.uid
    store.delete(CONFIG_MAP, "default", "o2")
    assert names(store) == []
    assert [record.client for record in store.log.records()][-2:] == [COLLECTOR, COLLECTOR]


def test_a_namesake_does_not_own(store: Store) -> None:
    """Who names an owner by a uid that is not there any more has none, and goes."""
    owner = store.create(CONFIG_MAP, config_map("owner"))
    reference = owned_by(owner)
    reference["ownerReferences"][0]["uid"] = "the-earlier-one"
    store.create(CONFIG_MAP, config_map("child", **reference))
    assert names(store) == ["owner"]


def test_an_owner_of_a_kind_that_is_not_served_counts_as_existing(store: Store) -> None:
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "u"}
    store.create(CONFIG_MAP, config_map("child", ownerReferences=[reference]))
    assert names(store) == ["child"]


def test_orphans_outlive_their_owner(store: Store) -> None:
    owner = store.create(CONFIG_MAP, config_map("owner"))
    store.create(CONFIG_MAP, config_map("child", **owned_by(owner)))
    marked, gone = store.delete(CONFIG_MAP, "default", "owner", propagation="Orphan")
    assert not gone
    assert marked.obj["metadata"]["finalizers"] == ["orphan"]
    assert names(store) == ["child"]
    assert "ownerReferences" not in store.get(CONFIG_MAP, "default", "child").obj["metadata"]


def blocking(*owners: Any) -> dict[str, Any]:
    references = owned_by(*owners)["ownerReferences"]
    return {"ownerReferences": [{**ref, "blockOwnerDeletion": True} for ref in references]}


def test_foreground_waits_for_the_dependents_that_block(store: Store) -> None:
    owner = store.create(CONFIG_MAP, config_map("owner"))
    held = {"finalizers": ["example.com/x"]}
    store.create(CONFIG_MAP, config_map("slow", **blocking(owner), **held))
    store.create(CONFIG_MAP, config_map("free", **owned_by(owner), **held))
    store.create(CONFIG_MAP, config_map("quick", **blocking(owner)))
    store.delete(CONFIG_MAP, "default", "owner", propagation="Foreground")
    assert names(store) == ["free", "owner", "slow"]
    waiting = store.get(CONFIG_MAP, "default", "owner").obj["metadata"]
    assert waiting["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in store.get(CONFIG_MAP, "default", "free").obj["metadata"]
    store.patch(CONFIG_MAP, "default", "slow", {"metadata": {"finalizers": None}})
    assert names(store) == ["free"]


def test_foreground_goes_down_generation_by_generation(store: Store) -> None:
    owner = store.create(CONFIG_MAP, config_map("a"))
    child = store.create(CONFIG_MAP, config_map("b", **blocking(owner)))
    store.create(CONFIG_MAP, config_map("c", **blocking(child), finalizers=["example.com/x"]))
    store.delete(CONFIG_MAP, "default", "a", propagation="Foreground")
    assert names(store) == ["a", "b", "c"]
    store.patch(CONFIG_MAP, "default", "c", {"metadata": {"finalizers": None}})
    assert names(store) == []


def test_a_dependent_with_another_owner_outlives_a_foreground_deletion(store: Store) -> None:
    first, second = (store.create(CONFIG_MAP, config_map(name)) for name in ("o1", "o2"))
    store.create(CONFIG_MAP, config_map("child", **blocking(first, second)))
    store.delete(CONFIG_MAP, "default", "o1", propagation="Foreground")
    assert names(store) == ["child", "o2"]
    (left,) = store.get(CONFIG_MAP, "default", "child").obj["metadata"]["ownerReferences"]
    assert left["uid"] == second.uid


def test_who_comes_while_its_owner_is_taken_down_goes_too(store: Store) -> None:
    owner = store.create(CONFIG_MAP, config_map("owner"))
    held = {"finalizers": ["example.com/x"]}
    store.create(CONFIG_MAP, config_map("slow", **blocking(owner), **held))
    store.delete(CONFIG_MAP, "default", "owner", propagation="Foreground")
    store.create(CONFIG_MAP, config_map("late", **owned_by(owner)))
    assert names(store) == ["owner", "slow"]


def test_a_later_delete_can_change_the_policy(store: Store) -> None:
    owner = store.create(CONFIG_MAP, config_map("owner"))
    held = {"finalizers": ["example.com/x"]}
    store.create(CONFIG_MAP, config_map("slow", **blocking(owner), **held))
    store.delete(CONFIG_MAP, "default", "owner", propagation="Foreground")
    store.delete(CONFIG_MAP, "default", "owner", propagation="Background")
    assert names(store) == ["slow"]


def test_a_collector_takes_in_what_is_there_already(store: Store) -> None:
    """As after a restart: the dependents of what went meanwhile go, the others stay."""
    store.listeners.clear()
    owner, other = (store.create(CONFIG_MAP, config_map(name)) for name in ("o1", "o2"))
    store.create(CONFIG_MAP, config_map("child", **owned_by(owner)))
    store.create(CONFIG_MAP, config_map("a", **owned_by(other)))
    store.delete(CONFIG_MAP, "default", "o1")
    Collector(store)
    assert names(store) == ["a", "o2"]
    store.delete(CONFIG_MAP, "default", "o2")
    assert names(store) == []


def test_a_namespace_goes_once_it_is_empty(store: Store) -> None:
    store.create(NAMESPACE, {"metadata": {"name": "lab"}})
    store.create(CONFIG_MAP, config_map("a", "lab"))
    store.create(CONFIG_MAP, config_map("held", "lab", finalizers=["example.com/x"]))
    _, gone = store.delete(NAMESPACE, None, "lab")
    assert not gone
    assert names(store) == ["held"]
    assert store.get(NAMESPACE, None, "lab").obj["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="it is being terminated"):
        store.create(CONFIG_MAP, config_map("late", "lab"))
    store.patch(CONFIG_MAP, "lab", "held", {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        store.get(NAMESPACE, None, "lab")
    assert store.log.records()[-1].client == NAMESPACES


def test_an_empty_namespace_goes_at_once(store: Store) -> None:
    store.create(NAMESPACE, {"metadata": {"name": "lab"}})
    store.delete(NAMESPACE, None, "lab")
    assert "lab" not in names(store, NAMESPACE)


def test_a_definition_serves_its_kind_while_it_lives(store: Store) -> None:
    with pytest.raises(NotFound):
        store.create(WIDGET, widget("w"))
    made = store.create(CRD, widgets())
    conditions = {c["type"]: c["status"] for c in made.obj["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert store.create(WIDGET, widget("w")).obj["spec"] == {"size": 1}
    store.create(WIDGET, widget("held", finalizers=["example.com/x"]))
    store.delete(CRD, None, "widgets.example.com")
    assert names(store, WIDGET) == ["held"]
    store.patch(WIDGET, "default", "held", {"metadata": {"finalizers": None}})
    assert "widgets.example.com" not in names(store, CRD)
    with pytest.raises(NotFound):
        store.list(WIDGET)


def test_a_changed_definition_holds_for_the_next_write(store: Store) -> None:
    store.create(CRD, widgets())
    changed = store.get(CRD, None, "widgets.example.com").copy()
    properties = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"]["properties"]["size"]["default"] = 2
    store.update(CRD, changed)
    assert store.create(WIDGET, widget("w")).obj["spec"] == {"size": 2}


def test_bad_definitions_are_refused_with_their_reason(store: Store) -> None:
    def refused(words: str, change: Any) -> None:
        crd = widgets()
        change(crd)
        with pytest.raises(Invalid, match=words):
            store.create(CRD, crd)

    version = "versions"
    refused("spec.names.plural", lambda crd: crd["metadata"].update(name="other.example.com"))
    refused("storage version", lambda crd: crd["spec"][version][0].update(storage=False))
    refused("schemas are required", lambda crd: crd["spec"][version][0].pop("schema"))
    refused("spec.names.kind: Required", lambda crd: crd["spec"]["names"].pop("kind"))
    refused("spec.scope: Unsupported", lambda crd: crd["spec"].update(scope="Global"))
    column = {"name": "X", "type": "string", "jsonPath": ".a[?(@"}
    refused(
        "jsonPath", lambda crd: crd["spec"][version][0].update(additionalPrinterColumns=[column])
    )
    bad = {"type": "object", "properties": {"a": {"type": "strong"}}}
    refused("strong", lambda crd: crd["spec"][version][0].update(schema={"openAPIV3Schema": bad}))
    odd = {"type": "object", "properties": []}
    refused(
        "malformed", lambda crd: crd["spec"][version][0].update(schema={"openAPIV3Schema": odd})
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "crds.yaml"),
        ("kind: CustomResourceDefinition", "spec: Required"),
        ("- 1", "object"),
    ],
)
def test_bad_definition_files_are_named(
    store: Store, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "crds.yaml"
    path.write_text(text)
    with pytest.raises(BadDefinition, match=words) as caught:
        load_crds(store, path)
    assert str(path) in str(caught.value)
    with pytest.raises(BadDefinition, match="No such file"):
        load_crds(store, tmp_path / "absent.yaml")
