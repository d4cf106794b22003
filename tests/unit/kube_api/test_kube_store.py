"""The store's rules: versions, conflicts, status split, generation, finalizers, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    UnsupportedMediaType,
)
from beskar7.api.kinds import (
    BESKAR7_MACHINE_TEMPLATE,
    CONFIG_MAP,
    EVENT,
    LEASE,
    NAMESPACE,
    PHYSICAL_HOST,
    SECRET,
    Kind,
)
from beskar7.runtime import VirtualRuntime
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

Host = Callable[..., dict[str, Any]]


def test_creation_gives_identity(store: Store, host: Host) -> None:
    first = store.create(PHYSICAL_HOST, host("a")).copy()
    second = store.create(PHYSICAL_HOST, host("b")).copy()
    meta = first["metadata"]
    assert meta["uid"] != second["metadata"]["uid"]
    assert meta["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert meta["generation"] == 1
    assert int(second["metadata"]["resourceVersion"]) == int(meta["resourceVersion"]) + 1
    assert first["spec"]["redfishConnection"]["insecureSkipVerify"] is False


def test_the_same_seed_gives_the_same_world(host: Host) -> None:
    def world() -> list[bytes]:
        store = new_store(VirtualRuntime(seed=3))
        store.create(PHYSICAL_HOST, host("", generateName="h-"))
        return [entry.raw for entry in store.list(PHYSICAL_HOST)]

    assert world() == world()


def test_versions_do_not_fall_across_restarts(host: Host) -> None:
    class Clock(VirtualRuntime):
        at = 1_800_000_000.0

        def wall(self) -> float:
            return self.at

    clock = Clock(seed=1)
    before = new_store(clock)
    for number in range(50):
        before.create(PHYSICAL_HOST, host(f"h{number}"))
    clock.at += 0.01
    assert new_store(clock).resource_version > before.resource_version


def test_a_stale_update_conflicts_and_changes_nothing(store: Store, host: Host) -> None:
    stale = store.create(PHYSICAL_HOST, host()).copy()
    fresh = store.get(PHYSICAL_HOST, "default", "h1").copy()
    fresh["spec"]["bootIsoSource"] = "http://images/first.iso"
    won = store.update(PHYSICAL_HOST, fresh)
    stale["spec"]["bootIsoSource"] = "http://images/second.iso"
    with pytest.raises(Conflict, match="the object has been modified"):
        store.update(PHYSICAL_HOST, stale)
    with pytest.raises(Conflict):
        store.update_status(PHYSICAL_HOST, stale)
    assert store.get(PHYSICAL_HOST, "default", "h1") is won


def test_the_status_is_split_from_the_rest(store: Store, host: Host) -> None:
    created = store.create(PHYSICAL_HOST, {**host(), "status": {"state": "Sent"}}).copy()
    assert "status" not in created

    created["status"] = {"state": "Available"}
    created["metadata"]["labels"] = {"not": "taken"}
    created["spec"]["bootIsoSource"] = "http://not/taken.iso"
    after = store.update_status(PHYSICAL_HOST, created).copy()
    assert after["status"] == {"state": "Available"}
    assert "labels" not in after["metadata"]
    assert "bootIsoSource" not in after["spec"]
    assert after["metadata"]["generation"] == 1

    after["status"] = {"state": "Overwritten"}
    after["spec"]["bootIsoSource"] = "http://images/a.iso"
    last = store.update(PHYSICAL_HOST, after).copy()
    assert last["status"] == {"state": "Available"}
    assert last["spec"]["bootIsoSource"] == "http://images/a.iso"
    assert last["metadata"]["generation"] == 2


def test_labels_do_not_count_as_a_generation(store: Store, host: Host) -> None:
    store.create(PHYSICAL_HOST, host())
    patched = store.patch(PHYSICAL_HOST, "default", "h1", {"metadata": {"labels": {"a": "b"}}})
    assert patched.obj["metadata"]["generation"] == 1


def test_a_write_that_changes_nothing_leaves_no_trace(store: Store, host: Host) -> None:
    created = store.create(PHYSICAL_HOST, host())
    watcher = store.watch(PHYSICAL_HOST, version=store.resource_version, wake=lambda: None)
    version = store.resource_version
    assert store.update(PHYSICAL_HOST, created.copy()) is created
    assert store.patch(PHYSICAL_HOST, "default", "h1", {"metadata": {}}) is created
    assert (len(watcher), store.resource_version) == (0, version)


def test_system_metadata_cannot_be_changed(store: Store, host: Host) -> None:
    created = store.create(PHYSICAL_HOST, host())
    changed = created.copy()
    changed["metadata"] |= {
        "creationTimestamp": "2000-01-01T00:00:00Z",
        "generation": 99,
        "deletionTimestamp": "2000-01-01T00:00:00Z",
        "labels": {"a": "b"},
    }
    meta = store.update(PHYSICAL_HOST, changed).obj["metadata"]
    assert meta["creationTimestamp"] == created.obj["metadata"]["creationTimestamp"]
    assert meta["generation"] == 1
    assert "deletionTimestamp" not in meta
    foreign = store.get(PHYSICAL_HOST, "default", "h1").copy()
    foreign["metadata"]["uid"] = "someone-else"
    with pytest.raises(Conflict, match="UID in precondition"):
        store.update(PHYSICAL_HOST, foreign)


def test_finalizers_hold_an_object_back(store: Store, host: Host) -> None:
    store.create(PHYSICAL_HOST, host(finalizers=["example.com/hold"]))
    going, gone = store.delete(PHYSICAL_HOST, "default", "h1")
    assert not gone
    meta = going.obj["metadata"]
    assert meta["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert meta["generation"] == 2
    again, gone = store.delete(PHYSICAL_HOST, "default", "h1")
    assert (again, gone) == (going, False)

    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    with pytest.raises(Invalid, match="no new finalizers"):
        store.patch(PHYSICAL_HOST, "default", "h1", more)

    watcher = store.watch(PHYSICAL_HOST, version=store.resource_version, wake=lambda: None)
    store.patch(PHYSICAL_HOST, "default", "h1", {"metadata": {"finalizers": None}})
    taken = watcher.take()
    assert taken is not None
    assert taken[0] == "DELETED"
    with pytest.raises(NotFound):
        store.get(PHYSICAL_HOST, "default", "h1")


def test_deletion_keeps_its_preconditions(store: Store, host: Host) -> None:
    entry = store.create(PHYSICAL_HOST, host())
    with pytest.raises(Conflict):
        store.delete(PHYSICAL_HOST, "default", "h1", uid="other")
    with pytest.raises(Conflict):
        store.delete(PHYSICAL_HOST, "default", "h1", resource_version=str(entry.version - 1))
    last, gone = store.delete(
        PHYSICAL_HOST, "default", "h1", uid=entry.uid, resource_version=str(entry.version)
    )
    assert gone
    assert last.version > entry.version
    with pytest.raises(NotFound):
        store.delete(PHYSICAL_HOST, "default", "h1")


def test_a_patch_may_carry_a_resource_version(store: Store, host: Host) -> None:
    entry = store.create(PHYSICAL_HOST, host())
    old = str(entry.version - 1)
    patch = {"metadata": {"resourceVersion": old, "labels": {"a": "b"}}}
    with pytest.raises(Conflict):
        store.patch(PHYSICAL_HOST, "default", "h1", patch)
    patch["metadata"]["resourceVersion"] = str(entry.version)
    assert store.patch(PHYSICAL_HOST, "default", "h1", patch).obj["metadata"]["labels"]


def test_names_can_be_generated(store: Store, host: Host) -> None:
    names = {
        store.create(PHYSICAL_HOST, host("", generateName="h-")).obj["metadata"]["name"]
        for _ in range(20)
    }
    assert len(names) == 20
    assert all(name.startswith("h-") and len(name) == 7 for name in names)


def broken(host: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {**host, "metadata": {**host["metadata"], **meta}}


@pytest.mark.parametrize(
    ("meta", "error", "words"),
    [
        ({"name": "Upper"}, Invalid, "RFC 1123"),
        ({"name": ""}, Invalid, "name or generateName is required"),
        ({"name": 5}, BadRequest, "metadata.name must be of type str"),
        ({"labels": {"a": 1}}, BadRequest, 'the value of "a" must be a string'),
        ({"labels": {"a b": "c"}}, Invalid, "metadata.labels"),
        ({"labels": {"a": "-"}}, Invalid, "metadata.labels"),
        ({"annotations": {"a": "x" * 300_000}}, Invalid, "Too long"),
        ({"finalizers": [1]}, BadRequest, "finalizers"),
        ({"finalizers": ["a b"]}, Invalid, "metadata.finalizers"),
        ({"ownerReferences": [{}]}, Invalid, r"ownerReferences\[0\].uid"),
        ({"ownerReferences": ["x"]}, BadRequest, "ownerReferences"),
        ({"namespace": "absent"}, NotFound, 'namespaces "absent" not found'),
        ({"namespace": None}, BadRequest, "empty namespace"),
        ({"resourceVersion": "5"}, BadRequest, "should not be set"),
    ],
)
def test_bad_metadata_is_refused(
    store: Store, host: Host, meta: dict[str, Any], error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        store.create(PHYSICAL_HOST, broken(host(), **meta))


def test_refusals_have_the_servers_words(store: Store, host: Host) -> None:
    created = store.create(PHYSICAL_HOST, host()).copy()
    with pytest.raises(AlreadyExists, match=r'physicalhosts.infra.* "h1" already exists') as exists:
        store.create(PHYSICAL_HOST, host())
    assert exists.value.code == 409
    del created["metadata"]["resourceVersion"]
    with pytest.raises(Invalid, match="resourceVersion: Invalid value: 0x0: must be specified"):
        store.update(PHYSICAL_HOST, created)
    with pytest.raises(NotFound):
        store.update(PHYSICAL_HOST, host("absent"))
    with pytest.raises(BadRequest, match="does not match the expected kind"):
        store.create(PHYSICAL_HOST, {**host("b"), "kind": "Other"})
    with pytest.raises(BadRequest, match="'Kind' is missing"):
        store.create(PHYSICAL_HOST, {**host("b"), "kind": None})
    with pytest.raises(NotFound, match="could not find the requested resource"):
        store.list(Kind("example.com", "v1", "Absent", "absents"))
    with pytest.raises(UnsupportedMediaType):
        store.patch(PHYSICAL_HOST, "default", "h1", {}, "strategic")
    with pytest.raises(NotFound):  # this kind has no status subresource
        store.patch(BESKAR7_MACHINE_TEMPLATE, "default", "t", {}, status=True)


def test_causes_come_with_invalid(store: Store, host: Host) -> None:
    bad = host()
    bad["spec"]["redfishConnection"] = {"address": "ftp://x"}
    with pytest.raises(Invalid) as caught:
        store.create(PHYSICAL_HOST, bad)
    details = caught.value.status()["details"]
    assert details["kind"] == "PhysicalHost"
    assert [cause["field"] for cause in details["causes"]] == [
        "spec.redfishConnection.address",
        "spec.redfishConnection.credentialsSecretRef",
    ]


def test_unknown_fields_by_field_validation(store: Store, host: Host) -> None:
    bad = host()
    bad["spec"]["tugs"] = ["a"]
    bad["metadata"]["nmae"] = "x"
    with pytest.raises(BadRequest, match=r'unknown field "metadata.nmae", .* "spec.tugs"'):
        store.create(PHYSICAL_HOST, bad, call=Call(field_validation="Strict"))
    call = Call(field_validation="Warn")
    created = store.create(PHYSICAL_HOST, bad, call=call)
    assert call.warnings == ['unknown field "metadata.nmae"', 'unknown field "spec.tugs"']
    assert "tugs" not in created.obj["spec"]


def test_dry_runs_leave_nothing(store: Store, host: Host) -> None:
    version, last = store.resource_version, store.log.last
    answer = store.create(PHYSICAL_HOST, host(), call=Call(dry_run=True))
    assert answer.obj["metadata"]["uid"]
    assert store.list(PHYSICAL_HOST) == []
    assert (store.resource_version, store.log.last) == (version, last)


def test_admission_may_refuse(store: Store, host: Host) -> None:
    seen: list[tuple[str, bool, bool]] = []

    def admit(kind: Kind, verb: str, new: Any, old: Any) -> None:
        seen.append((verb, new is not None, old is not None))
        if verb == "delete":
            raise Forbidden("not this one")

    store.admit.append(admit)
    store.create(PHYSICAL_HOST, host())
    store.patch(PHYSICAL_HOST, "default", "h1", {"status": {"state": "x"}}, status=True)
    with pytest.raises(Forbidden):
        store.delete(PHYSICAL_HOST, "default", "h1")
    assert seen == [
        ("create", True, False),
        ("patch_status", True, True),
        ("delete", False, True),
    ]
    assert store.get(PHYSICAL_HOST, "default", "h1")


def test_lists_are_ordered_and_scoped(store: Store, host: Host) -> None:
    store.create(NAMESPACE, {"metadata": {"name": "default-2"}})
    for name, namespace in (("b", "default"), ("a", "default-2"), ("a", "default")):
        store.create(PHYSICAL_HOST, host(name, namespace=namespace))
    found = [(entry.namespace, entry.name) for entry in store.list(PHYSICAL_HOST)]
    assert found == [("default", "a"), ("default", "b"), ("default-2", "a")]
    assert [entry.name for entry in store.list(PHYSICAL_HOST, "default")] == ["a", "b"]
    assert store.list(PHYSICAL_HOST, "kube-system") == []


def test_secrets_take_plain_text_and_refuse_bad_base64(store: Store) -> None:
    meta = {"name": "s", "namespace": "default"}
    made = store.create(SECRET, {"metadata": meta, "stringData": {"user": "me"}}).obj
    assert made["data"] == {"user": "bWU="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
    with pytest.raises(Invalid, match="base64"):
        store.patch(SECRET, "default", "s", {"data": {"user": "?"}})
    with pytest.raises(Invalid, match=r"type: .*immutable"):
        store.patch(SECRET, "default", "s", {"type": "other"})
    with pytest.raises(Invalid, match="valid config key"):
        store.patch(SECRET, "default", "s", {"data": {"a b": ""}})


def test_config_maps_are_text_and_bounded(store: Store) -> None:
    meta = {"name": "c", "namespace": "default"}
    with pytest.raises(Invalid, match="must be of type string"):
        store.create(CONFIG_MAP, {"metadata": meta, "data": {"a": 1}})
    with pytest.raises(Invalid, match="Too long"):
        store.create(CONFIG_MAP, {"metadata": meta, "data": {"a": "x" * 1_100_000}})
    store.create(CONFIG_MAP, {"metadata": meta, "data": {"a": "1"}})
    # A ConfigMap may be overwritten without a resourceVersion.
    assert store.update(CONFIG_MAP, {"metadata": meta, "data": {}}).obj["data"] == {}


def test_leases_are_created_by_put_but_not_overwritten_blindly(store: Store) -> None:
    lease = {
        "metadata": {"name": "l", "namespace": "default"},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
    }
    assert store.update(LEASE, lease).obj["spec"]["holderIdentity"] == "a"
    with pytest.raises(Invalid, match="must be specified for an update"):
        store.update(LEASE, lease)
    with pytest.raises(Invalid, match="leaseDurationSeconds"):
        store.patch(LEASE, "default", "l", {"spec": {"leaseDurationSeconds": 0}})


def test_events_belong_to_the_namespace_of_their_object(store: Store) -> None:
    meta = {"name": "e", "namespace": "kube-system"}
    about = {"kind": "PhysicalHost", "name": "h", "namespace": "default"}
    with pytest.raises(Invalid, match=r"does not match event.namespace"):
        store.create(EVENT, {"metadata": meta, "involvedObject": about})
    about["namespace"] = "kube-system"
    assert store.create(EVENT, {"metadata": meta, "involvedObject": about})


@pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"metadata": []}, {"metadata": "x"}])
def test_bodies_of_any_shape_are_refused(store: Store, host: Host, body: Any) -> None:
    store.create(PHYSICAL_HOST, host())
    for write in (store.create, store.update, store.update_status):
        with pytest.raises(ApiError) as caught:
            write(PHYSICAL_HOST, body)
        assert caught.value.code in (400, 422)
