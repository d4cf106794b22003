"""Nobody gives rights that he lacks, by a role or by a binding."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.errors import Forbidden, NotFound
from beskar7.runtime import VirtualRuntime
from emulator.kube.access.authn import ADMIN, AUTHENTICATED, User
from emulator.kube.access.escalation import Escalation
from emulator.kube.access.rbac import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    GROUP,
    ROLE,
    ROLE_BINDING,
    Authorizer,
)
from emulator.kube.access.requestinfo import Attributes
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

ALICE = User("alice", (AUTHENTICATED,))
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}


class Cluster:
    """A store that a user writes to; None: the server itself."""

    def __init__(self) -> None:
        self.store: Store = new_store(VirtualRuntime(0), crds=[])
        self.user: User | None = None
        self.authorizer = Authorizer(self.store)
        self.store.admit.append(Escalation(self.authorizer, lambda: self.user))

    def role(self, name: str, *rules: dict[str, Any], kind: Any = ROLE, **more: Any) -> None:
        self.store.create(kind, {"metadata": self.meta(kind, name), "rules": list(rules), **more})

    def bind(self, name: str, role_kind: str = "Role", kind: Any = ROLE_BINDING) -> None:
        obj = {
            "metadata": self.meta(kind, f"{name}-{kind.plural}"),
            "roleRef": {"kind": role_kind, "name": name},
            "subjects": [{"kind": "User", "name": "alice"}],
        }
        self.store.create(kind, obj)

    def meta(self, kind: Any, name: str) -> dict[str, str]:
        return {"name": name, **({"namespace": "default"} if kind.namespaced else {})}

    def gives(self, *rules: dict[str, Any], everywhere: bool = False) -> None:
        """To alice, in the namespace default or everywhere."""
        before, self.user = self.user, None
        name = f"r{len(self.store.list(CLUSTER_ROLE))}"
        self.role(name, *rules, kind=CLUSTER_ROLE)
        self.bind(name, "ClusterRole", CLUSTER_ROLE_BINDING if everywhere else ROLE_BINDING)
        self.user = before


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.gives(PODS)
    made.user = ALICE
    return made


def test_a_role_with_what_the_writer_holds(cluster: Cluster) -> None:
    cluster.role("same", PODS)
    cluster.role("less", {**PODS, "verbs": ["get"], "resourceNames": ["p"]})
    cluster.role("none")


@pytest.mark.parametrize(
    "rule",
    [
        SECRETS,
        {**PODS, "verbs": ["get", "delete"]},
        {**PODS, "verbs": ["*"]},
        {**PODS, "resources": ["*"]},
        {**PODS, "resources": ["pods/log"]},
        {**PODS, "resources": ["*/log"]},
        {**PODS, "apiGroups": ["*"]},
        {**PODS, "apiGroups": ["", "apps"]},
    ],
)
def test_a_role_with_more_is_refused(cluster: Cluster, rule: dict[str, Any]) -> None:
    with pytest.raises(Forbidden) as caught:
        cluster.role("more", PODS, rule)
    said = str(caught.value)
    assert 'roles.rbac.authorization.k8s.io "more" is forbidden: user "alice"' in said
    assert "is attempting to grant RBAC permissions not currently held:\n" in said
    assert f'"resources":["{rule["resources"][0]}"]' in said


def test_named_objects_do_not_make_all_of_them(cluster: Cluster) -> None:
    cluster.gives({**SECRETS, "resourceNames": ["mine"]})
    cluster.role("mine", {**SECRETS, "resourceNames": ["mine"]})
    with pytest.raises(Forbidden):
        cluster.role("all", SECRETS)
    with pytest.raises(Forbidden):
        cluster.role("other", {**SECRETS, "resourceNames": ["mine", "other"]})


def test_what_is_held_in_a_namespace_is_not_held_everywhere(cluster: Cluster) -> None:
    with pytest.raises(Forbidden):
        cluster.role("wide", PODS, kind=CLUSTER_ROLE)
    cluster.gives(PODS, everywhere=True)
    cluster.role("wide", PODS, kind=CLUSTER_ROLE)


def test_paths(cluster: Cluster) -> None:
    cluster.gives({"nonResourceURLs": ["/metrics", "/api/*"], "verbs": ["get"]}, everywhere=True)
    for path in ("/metrics", "/api/*", "/api/v1/*", "/api/v1"):
        rule = {"nonResourceURLs": [path], "verbs": ["get"]}
        cluster.role(f"p{len(path)}", rule, kind=CLUSTER_ROLE)
    for path in ("*", "/metrics/*", "/apis"):
        rule = {"nonResourceURLs": [path], "verbs": ["get"]}
        with pytest.raises(Forbidden):
            cluster.role("no", rule, kind=CLUSTER_ROLE)


def test_changes_are_checked_too(cluster: Cluster) -> None:
    cluster.role("mine", PODS)
    with pytest.raises(Forbidden):
        cluster.store.patch(ROLE, "default", "mine", {"rules": [SECRETS]}, "merge")
    cluster.user = None
    cluster.role("theirs", SECRETS)
    cluster.user = ALICE
    with pytest.raises(Forbidden):
        cluster.store.patch(
            ROLE, "default", "theirs", {"metadata": {"labels": {"a": "b"}}}, "merge"
        )
    # What the garbage collector does needs none of the rights.
    final = {"metadata": {"finalizers": ["a.io/b"]}}
    cluster.store.patch(ROLE, "default", "theirs", final, "merge")
    cluster.store.patch(ROLE, "default", "theirs", {"rules": [PODS]}, "merge")
    cluster.store.delete(ROLE, "default", "theirs")


def test_escalate_on_the_role(cluster: Cluster) -> None:
    rule = {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["escalate"]}
    cluster.gives({**rule, "resourceNames": ["strong"]})
    cluster.role("strong", SECRETS)
    with pytest.raises(Forbidden):
        cluster.role("stronger", SECRETS)


def test_bindings(cluster: Cluster) -> None:
    cluster.user = None
    cluster.role("weak", PODS, kind=CLUSTER_ROLE)
    cluster.role("strong", SECRETS, kind=CLUSTER_ROLE)
    cluster.user = ALICE
    cluster.bind("weak", "ClusterRole")
    with pytest.raises(Forbidden):
        cluster.bind("weak", "ClusterRole", CLUSTER_ROLE_BINDING)
    with pytest.raises(Forbidden, match="rolebindings"):
        cluster.bind("strong", "ClusterRole")
    with pytest.raises(NotFound, match='"absent" not found'):
        cluster.bind("absent", "ClusterRole")
    may = {"apiGroups": [GROUP], "resources": ["clusterroles"], "verbs": ["bind"]}
    cluster.gives({**may, "resourceNames": ["strong"]})
    cluster.bind("strong", "ClusterRole")
    with pytest.raises(Forbidden):
        cluster.bind("strong", "ClusterRole", CLUSTER_ROLE_BINDING)


def test_an_aggregation_takes_all_rights(cluster: Cluster) -> None:
    gather = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    cluster.gives(PODS, everywhere=True)
    with pytest.raises(Forbidden):
        cluster.role("sum", kind=CLUSTER_ROLE, **gather)
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    cluster.gives(everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}, everywhere=True)
    cluster.role("sum", kind=CLUSTER_ROLE, **gather)


@pytest.mark.parametrize("user", [None, ADMIN])
def test_the_server_and_masters_may_all(cluster: Cluster, user: User | None) -> None:
    cluster.user = user
    cluster.role("all", {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, kind=CLUSTER_ROLE)
    cluster.bind("absent", "ClusterRole", CLUSTER_ROLE_BINDING)


def test_a_role_that_names_billions_of_rights_is_refused_at_once(cluster: Cluster) -> None:
    many = [f"x{number}" for number in range(2000)]
    with pytest.raises(Forbidden, match="more than 100000 rights at once"):
        cluster.role("huge", {"apiGroups": many, "resources": many, "verbs": many})


WORDS = {"verbs": "get list *", "apiGroups": "apps batch *", "resources": "a b a/s */s *"}
RULES = st.lists(
    st.fixed_dictionaries(
        {
            key: st.lists(st.sampled_from(words.split()), min_size=1, max_size=2)
            for key, words in WORDS.items()
        },
        optional={"resourceNames": st.lists(st.sampled_from(["n", "m"]), min_size=1, max_size=1)},
    ),
    max_size=3,
)


@given(RULES, RULES)
def test_whatever_passes_gives_nothing_new(
    held: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    cluster = Cluster()
    cluster.gives(*held)
    cluster.user = ALICE
    questions = [
        Attributes(verb, group, resource, sub, "default", name)
        for verb in ("get", "list", "delete")
        for group in ("apps", "batch", "other")
        for resource in ("a", "b", "c")
        for sub in ("", "s", "t")
        for name in ("", "n", "m", "o")
    ]
    before = {q for q in questions if cluster.authorizer.decide(ALICE, q)}
    try:
        cluster.role("wanted", *wanted)
    except Forbidden:
        refused = True
    else:
        refused = False
    cluster.user = None
    if refused:
        cluster.role("wanted", *wanted)
    cluster.bind("wanted")
    gained = {q for q in questions if cluster.authorizer.decide(ALICE, q)} - before
    assert refused or not gained
