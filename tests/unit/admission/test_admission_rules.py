"""Properties of the rules that hold for every object; the single rules are in the e2e table."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api import admission
from beskar7.api.admission import RULES, Context, Operation
from beskar7.api.admission.environment import ENVIRONMENT
from beskar7.api.admission.templates import CLONED_FROM_NAME
from beskar7.api.errors import ApiError, NotFound, ServiceUnavailable
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.meta import rfc3339
from beskar7.api.objects import ObjectList, copy_json
from beskar7.api.resources import PAUSED_ANNOTATION, Beskar7Machine, PhysicalHost

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
DAY = 86400.0


class World:
    """What rules may read: one object for every name, or one failure."""

    def __init__(self, answer: Any = None) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def get(self, kind: Kind, namespace: str | None, name: str) -> Any:
        self.asked.append(f"{kind} {name}")
        if isinstance(self._answer, ApiError):
            raise self._answer
        if isinstance(self._answer, dict) and "by kind" in self._answer:
            return self._answer["by kind"][kind.kind]
        if self._answer is None:
            raise NotFound("not found")
        return self._answer

    def list(self, kind: Kind, namespace: str | None = None) -> ObjectList:
        return ObjectList([self.get(kind, namespace, "")], "1")


def context(answer: Any = None) -> Context:
    return Context(World(answer), NOW)


def obj(kind: Kind, spec: Any, **meta: Any) -> dict[str, Any]:
    metadata = {"namespace": "default", "name": "x", "uid": "u", **meta}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": metadata,
        "spec": spec,
    }


LABEL = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
HOST = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.lists(LABEL, min_size=1, max_size=3).map(".".join),
)
MACHINE = st.builds(
    lambda scheme, host, image, config, mode: {
        "imageURL": f"{scheme}://{host}/{image}.iso",
        "osFamily": "kairos",
        **({"configURL": f"https://{host}/{image}.yaml"} if config else {}),
        **({"provisioningMode": mode} if mode == "PXE" else {}),
    },
    st.sampled_from(["http", "https", "ftp"]),
    HOST,
    LABEL,
    st.booleans(),
    st.sampled_from(["", "PXE"]),
)
OWNER = st.builds(
    lambda name: {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": "Beskar7Machine",
        "namespace": "default",
        "name": name,
        "uid": name,
    },
    LABEL,
)
VALID = st.one_of(
    MACHINE.map(lambda spec: obj(BESKAR7_MACHINE, spec)),
    MACHINE.map(lambda spec: obj(BESKAR7_MACHINE_TEMPLATE, {"template": {"spec": spec}})),
    HOST.map(
        lambda host: obj(BESKAR7_CLUSTER, {"controlPlaneEndpoint": {"host": host.strip("[]")}})
    ),
    st.just(obj(BESKAR7_CLUSTER, {})),
    st.builds(
        lambda address, owner, tags: obj(
            PHYSICAL_HOST,
            {
                "redfishConnection": {"address": address, "credentialsSecretRef": "bmc"},
                **({"consumerRef": owner, "bootIsoSource": "http://i/a.iso"} if owner else {}),
                "tags": tags,
            },
        ),
        st.one_of(
            HOST,
            HOST.map(lambda host: f"https://{host}:8443/x"),
            st.ip_addresses(v=6).map(str),
        ),
        st.one_of(st.none(), OWNER),
        st.lists(LABEL),
    ),
)
FIELDS = st.sampled_from(
    (
        *("spec", "template", "redfishConnection", "address", "credentialsSecretRef"),
        *("insecureSkipVerify", "consumerRef", "userDataSecretRef", "bootIsoSource", "host"),
        *("controlPlaneEndpoint", "port", "imageURL", "configURL", "osFamily", "provisioningMode"),
        *("providerID", "name", "namespace", "kind", "apiVersion"),
    )
)
WHOLE = st.integers(-(2**63), 2**63 - 1)
"""As JSON is read: what is further from zero arrives as a float."""
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), WHOLE, st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALID)
def test_defaults_are_complete_after_one_pass(given_: dict[str, Any]) -> None:
    before = copy_json(given_)
    once = admission.default(given_)
    assert given_ == before
    assert admission.default(once) is once


@given(VALID)
def test_what_is_valid_is_taken(given_: dict[str, Any]) -> None:
    found = admission.validate("CREATE", admission.default(given_), None, context())
    assert found.causes == []


@given(st.sampled_from(RULES), JSON, st.dictionaries(FIELDS, JSON))
def test_what_was_stored_once_is_not_judged_again(rules: Any, spec: Any, status: Any) -> None:
    """Whatever the spec: labels, finalizers and status change without a word (U25)."""
    old = obj(rules.kind, spec, finalizers=["a/b"])
    new = copy_json(old) | {"status": status}
    new["metadata"] |= {"labels": {"a": "b"}, "finalizers": []}
    world = World(ServiceUnavailable("down"))
    for newer in (new, rules.default(new)):
        found = admission.validate("UPDATE", newer, old, Context(world, NOW))
        assert (found.causes, found.warnings, world.asked) == ([], [], [])


@given(
    st.sampled_from(RULES),
    JSON,
    JSON,
    st.dictionaries(st.sampled_from([ENVIRONMENT, PAUSED_ANNOTATION, CLONED_FROM_NAME]), JSON),
    st.sampled_from(["CREATE", "UPDATE", "DELETE"]),
)
def test_no_shape_of_an_object_breaks_the_rules(
    rules: Any, spec: Any, before: Any, annotations: Any, operation: Operation
) -> None:
    """A mutating webhook sees objects before the schema has looked at them."""
    new = rules.default(obj(rules.kind, spec, annotations=annotations))
    old = obj(rules.kind, before)
    for answer in (None, new, ServiceUnavailable("down")):
        admission.validate(
            operation,
            None if operation == "DELETE" else new,
            None if operation == "CREATE" else old,
            context(answer),
        )


@pytest.mark.upstream("U25")
@given(OWNER, LABEL)
def test_the_controllers_own_writes_pass(owner: dict[str, Any], name: str) -> None:
    free = obj(
        PHYSICAL_HOST,
        {"redfishConnection": {"address": "https://10.0.0.1", "credentialsSecretRef": "bmc"}},
    )
    machine = Beskar7Machine(
        obj(BESKAR7_MACHINE, {"imageURL": "http://i/a.iso", "osFamily": "kairos"}, name=name)
    )
    host = PhysicalHost(copy_json(free))
    host.claim(machine, rfc3339(NOW))
    claimed = copy_json(host.raw)
    found = admission.validate("UPDATE", claimed, free, context())
    assert (found.causes, found.warnings) == ([], [])
    host.release(rfc3339(NOW))
    for state in ("Claimed", "Provisioning", "Provisioned", "Error"):
        before = claimed | {"status": {"state": state}}
        found = admission.validate(
            "UPDATE", host.raw | {"status": before["status"]}, before, context()
        )
        assert (found.causes, found.warnings) == ([], [])


@pytest.mark.upstream("U25")
def test_a_finalizer_goes_when_the_secret_has_lost_its_username() -> None:
    secret = {"kind": "Secret", "data": {}}
    old = obj(
        PHYSICAL_HOST,
        {"redfishConnection": {"address": "http://10.0.0.1", "credentialsSecretRef": "bmc"}},
        finalizers=["physicalhost.infrastructure.cluster.x-k8s.io"],
    )
    new = copy_json(old)
    del new["metadata"]["finalizers"]
    assert admission.validate("UPDATE", new, old, context(secret)).causes == []


@pytest.mark.upstream("U30")
@pytest.mark.parametrize(
    ("address", "namespace", "refused"),
    [
        ("http://10.1.2.3", "device-prod", True),
        ("http://192.168.0.9", "default", True),
        ("http://dev.example.com", "testing", True),
        ("http://127.0.0.1.example.com", "default", True),
        ("http://localhost.example.com", "default", True),
        ("http://127.200.0.1:8000", "production", False),
        ("http://[::1]:8000", "production", False),
        ("http://localhost", "production", False),
    ],
)
def test_no_word_in_a_name_relaxes_tls(address: str, namespace: str, refused: bool) -> None:
    host = obj(
        PHYSICAL_HOST,
        {"redfishConnection": {"address": address, "credentialsSecretRef": "bmc"}},
        namespace=namespace,
    )
    assert bool(admission.validate("CREATE", host, None, context()).causes) == refused


def test_what_cannot_be_read_is_said_and_refuses_nothing() -> None:
    down = context(ServiceUnavailable("down"))
    connection = {"address": "http://10.0.0.1", "credentialsSecretRef": "bmc"}
    found = admission.validate(
        "CREATE", obj(PHYSICAL_HOST, {"redfishConnection": connection}), None, down
    )
    assert found.causes == []
    assert found.warnings == [
        "Namespace default could not be read, so it was not checked: ServiceUnavailable",
        "Secret bmc could not be read, so it was not checked: ServiceUnavailable",
    ]
    found = admission.validate("DELETE", None, obj(BESKAR7_MACHINE_TEMPLATE, {}), down)
    assert found.causes == []
    assert "beskar7machines could not be read" in found.warnings[0]


def test_a_namespace_takes_its_templates_along() -> None:
    """Content of a terminating namespace goes in no particular order."""
    annotations = {
        "cluster.x-k8s.io/cloned-from-name": "x",
        "cluster.x-k8s.io/cloned-from-groupkind": (
            "Beskar7MachineTemplate.infrastructure.cluster.x-k8s.io"
        ),
    }
    machine = obj(BESKAR7_MACHINE, {}, annotations=annotations)
    template = obj(BESKAR7_MACHINE_TEMPLATE, {})
    around: dict[str, Any] = {"metadata": {"name": "default"}}
    world = {
        "Beskar7Machine": machine,
        "MachineDeployment": {},
        "MachineSet": {},
        "Namespace": around,
    }
    judged = admission.validate("DELETE", None, template, context({"by kind": world}))
    assert judged.causes
    around["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    judged = admission.validate("DELETE", None, template, context({"by kind": world}))
    assert not judged.causes


def test_a_template_from_before_a_default_is_not_changed_by_it() -> None:
    spec = {"template": {"spec": {"imageURL": "http://i/a.iso", "osFamily": "kairos"}}}
    old = obj(BESKAR7_MACHINE_TEMPLATE, spec)
    new = admission.default(copy_json(old))
    assert new["spec"] != old["spec"]
    assert admission.validate("UPDATE", new, old, context()).causes == []


@pytest.mark.parametrize(
    ("meta", "warned"),
    [
        ({"creationTimestamp": rfc3339(NOW - 91 * DAY)}, True),
        ({"creationTimestamp": rfc3339(NOW - 89 * DAY)}, False),
        (
            {
                "creationTimestamp": rfc3339(NOW - 400 * DAY),
                "managedFields": [
                    {"time": rfc3339(NOW - DAY), "fieldsV1": {"f:data": {"f:password": {}}}}
                ],
            },
            False,
        ),
        (
            {
                "creationTimestamp": rfc3339(NOW - 400 * DAY),
                "managedFields": [
                    {"time": rfc3339(NOW - DAY), "fieldsV1": {"f:metadata": {"f:labels": {}}}}
                ],
            },
            True,
        ),
        ({}, False),
    ],
)
def test_a_secret_is_as_old_as_its_content(meta: dict[str, Any], warned: bool) -> None:
    secret = {
        "type": "kubernetes.io/basic-auth",
        "metadata": meta,
        "data": {"username": "cm9vdA==", "password": "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"},
    }
    connection = {"address": "https://10.0.0.1", "credentialsSecretRef": "bmc"}
    host = obj(PHYSICAL_HOST, {"redfishConnection": connection})
    found = admission.validate("CREATE", host, None, context(secret))
    assert found.causes == []
    assert ["days ago" in warning for warning in found.warnings] == ([True] if warned else [])


@pytest.mark.parametrize("password", ["admin", "s3cr3t", "longer-one", "äöü-secret"])
@pytest.mark.parametrize("address", ["https://joe:{}@10.0.0.1", "ftp://10.0.0.1?p={}", "//x:{}@y"])
def test_no_message_repeats_a_secret(password: str, address: str) -> None:
    encoded = base64.b64encode(password.encode()).decode()
    secret = {"data": {"username": "cm9vdA==", "password": encoded}}
    for value, name in ((address.format(password), "bmc"), ("https://10.0.0.1", "bmc")):
        connection = {"address": value, "credentialsSecretRef": name}
        host = obj(PHYSICAL_HOST, {"redfishConnection": connection})
        found = admission.validate("CREATE", host, None, context(secret))
        said = str(found)
        assert found.causes or found.warnings
        assert password not in said
        assert encoded not in said


def test_a_machine_that_owns_another_host_says_so() -> None:
    """The operator took its first host away, and it has claimed a second."""
    spec = {"imageURL": "http://i/a.iso", "osFamily": "kairos"}
    old = obj(BESKAR7_MACHINE, spec | {"providerID": "b7://default/a"}, uid="mine")
    new = obj(BESKAR7_MACHINE, spec | {"providerID": "b7://default/b"}, uid="mine")
    owned = obj(PHYSICAL_HOST, {"consumerRef": {"uid": "mine"}})
    other = obj(PHYSICAL_HOST, {"consumerRef": {"uid": "other"}})
    assert not admission.validate("UPDATE", new, old, context(owned)).causes
    assert admission.validate("UPDATE", new, old, context(other)).causes
    assert admission.validate("UPDATE", new, old, context()).causes


def test_the_annotations_value_counts() -> None:
    connection = {"address": "http://10.0.0.1", "credentialsSecretRef": "bmc"}
    for value, refused in (("development", False), ("prod-dev", True), ("", True), ("DEV", True)):
        host = obj(
            PHYSICAL_HOST, {"redfishConnection": connection}, annotations={ENVIRONMENT: value}
        )
        assert bool(admission.validate("CREATE", host, None, context()).causes) == refused
