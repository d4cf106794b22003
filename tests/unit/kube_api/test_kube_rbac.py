"""Access: what requests are, what rules allow, tokens, and the words of a refusal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.errors import Forbidden, Invalid, NotFound, Unauthorized
from beskar7.api.kinds import NAMESPACE
from beskar7.runtime import VirtualRuntime
from emulator.kube.access.authn import (
    ADMIN,
    AUTHENTICATED,
    SERVICE_ACCOUNT,
    Authenticator,
    BadTokens,
    User,
    account_user,
    read_tokens,
)
from emulator.kube.access.bootstrap import MANAGER, install
from emulator.kube.access.rbac import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    Authorizer,
)
from emulator.kube.access.requestinfo import Attributes, attributes
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

ALICE = User("alice", (AUTHENTICATED,))
OPS = User("bob", ("ops", AUTHENTICATED))


@pytest.fixture
def store(runtime: VirtualRuntime) -> Store:
    return new_store(runtime, crds=[])


def role(store: Store, kind: Any, name: str, *rules: dict[str, Any], **more: Any) -> None:
    meta = {"name": name} if kind == CLUSTER_ROLE else {"name": name, "namespace": "default"}
    meta |= more.pop("meta", {})
    store.create(kind, {"metadata": meta, "rules": list(rules), **more})


def bind(store: Store, kind: Any, of: str, role_kind: str, *subjects: dict[str, Any]) -> None:
    meta = {"name": of} if kind == CLUSTER_ROLE_BINDING else {"name": of, "namespace": "default"}
    ref = {"kind": role_kind, "name": of}
    store.create(kind, {"metadata": meta, "roleRef": ref, "subjects": list(subjects)})


USER = {"kind": "User", "name": "alice"}
GROUP = {"kind": "Group", "name": "ops"}
PODS = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "", "pods", "", "", "")),
        ("GET", "/api/v1/pods", {"watch": "0"}, ("list", "", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces", {}, ("list", "", "namespaces", "", "", "")),
        ("GET", "/api/v1/namespaces/a", {}, ("get", "", "namespaces", "", "a", "a")),
        (
            "PUT", "/api/v1/namespaces/a/status", {},
            ("update", "", "namespaces", "status", "a", "a"),
        ),
        ("POST", "/api/v1/namespaces/a/pods", {}, ("create", "", "pods", "", "a", "")),
        ("GET", "/api/v1/namespaces/a/pods/p/log", {}, ("get", "", "pods", "log", "a", "p")),
        ("POST", "/api/v1/namespaces/a/pods/p/exec", {}, ("create", "", "pods", "exec", "a", "p")),
        (
            "GET", "/api/v1/namespaces/a/pods/p:8080/proxy/debug/pprof", {},
            ("get", "", "pods", "proxy", "a", "p:8080"),
        ),
        (
            "DELETE", "/apis/apps/v1/namespaces/a/deployments", {},
            ("deletecollection", "apps", "deployments", "", "a", ""),
        ),
        (
            "PATCH", "/apis/apps/v1/namespaces/a/deployments/d/scale", {},
            ("patch", "apps", "deployments", "scale", "a", "d"),
        ),
        (
            "GET", "/api/v1/namespaces/a/secrets", {"fieldSelector": "metadata.name=s"},
            ("list", "", "secrets", "", "a", "s"),
        ),
        ("GET", "/apis/g.io/v1/things/t", {}, ("get", "g.io", "things", "", "", "t")),
    ],
)  # fmt: skip
def test_requests_have_the_attributes_of_the_api_server(
    method: str, path: str, query: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert attributes(method, path, query) == Attributes(*expected)


@pytest.mark.parametrize("path", ["/", "/api", "/apis/apps/v1", "/metrics", "/openapi/v3/api/v1"])
def test_all_else_is_a_path(path: str) -> None:
    assert attributes("GET", path, {}) == Attributes("get", path=path)


@given(st.sampled_from(["GET", "BREW", ""]), st.text(max_size=40))
def test_any_request_has_attributes(method: str, path: str) -> None:
    assert attributes(method, "/" + path, {"fieldSelector": "metadata.name=,,"}).path is not None


def allowed(store: Store, user: User, verb: str, resource: str, **more: Any) -> bool:
    plural, _, sub = resource.partition("/")
    asked = Attributes(verb, more.pop("group", ""), plural, sub, **more)
    return Authorizer(store).decide(user, asked) is not None


def test_a_role_reaches_its_namespace(store: Store) -> None:
    role(store, ROLE, "r", PODS)
    bind(store, ROLE_BINDING, "r", "Role", USER)
    assert allowed(store, ALICE, "list", "pods", namespace="default")
    assert allowed(store, ALICE, "get", "pods/log", namespace="default", name="p")
    assert not allowed(store, ALICE, "list", "pods", namespace="kube-system")
    assert not allowed(store, ALICE, "list", "pods")
    assert not allowed(store, ALICE, "delete", "pods", namespace="default")
    assert not allowed(store, ALICE, "get", "pods/exec", namespace="default")
    assert not allowed(store, ALICE, "list", "pods", namespace="default", group="apps")
    assert not allowed(store, OPS, "list", "pods", namespace="default")


def test_a_cluster_role_reaches_as_far_as_its_binding(store: Store) -> None:
    role(store, CLUSTER_ROLE, "r", PODS, {"nonResourceURLs": ["/a", "/b/*"], "verbs": ["get"]})
    bind(store, ROLE_BINDING, "r", "ClusterRole", USER)
    bind(store, CLUSTER_ROLE_BINDING, "r", "ClusterRole", GROUP)
    assert allowed(store, ALICE, "list", "pods", namespace="default")
    assert not allowed(store, ALICE, "list", "pods")
    assert allowed(store, OPS, "list", "pods")
    assert allowed(store, OPS, "list", "pods", namespace="anywhere")
    for path, reached in {"/a": True, "/a/x": False, "/b/x": True, "/b": False}.items():
        asked = Attributes("get", path=path)
        assert (Authorizer(store).decide(OPS, asked) is not None) is reached
        assert Authorizer(store).decide(ALICE, asked) is None  # no paths by a RoleBinding


def test_stars_and_names(store: Store) -> None:
    role(
        store,
        CLUSTER_ROLE,
        "r",
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["bmc"]},
    )
    bind(store, CLUSTER_ROLE_BINDING, "r", "ClusterRole", USER)
    assert allowed(store, ALICE, "shave", "deployments/status", group="apps")
    assert allowed(store, ALICE, "get", "things/scale", group="g.io")
    assert not allowed(store, ALICE, "get", "things", group="g.io")
    assert allowed(store, ALICE, "get", "secrets", namespace="x", name="bmc")
    assert not allowed(store, ALICE, "get", "secrets", namespace="x", name="other")
    assert not allowed(store, ALICE, "list", "secrets", namespace="x")


def test_what_is_taken_away_is_gone_at_once(store: Store) -> None:
    authorizer = Authorizer(store)
    asked = Attributes("list", "", "pods", "", "default")
    assert authorizer.decide(ALICE, asked) is None
    role(store, ROLE, "r", PODS)
    bind(store, ROLE_BINDING, "r", "Role", USER)
    assert "RoleBinding" in (authorizer.decide(ALICE, asked) or "")
    store.patch(ROLE, "default", "r", {"rules": []})
    assert authorizer.decide(ALICE, asked) is None
    store.delete(ROLE_BINDING, "default", "r")
    assert authorizer.decide(ALICE, asked) is None


def test_roles_are_aggregated(store: Store) -> None:
    part = {"labels": {"to": "whole"}}
    role(store, CLUSTER_ROLE, "part", PODS, meta=part)
    selectors = {"clusterRoleSelectors": [{"matchLabels": {"to": "whole"}}]}
    role(store, CLUSTER_ROLE, "r", aggregationRule=selectors)
    bind(store, CLUSTER_ROLE_BINDING, "r", "ClusterRole", USER)
    assert allowed(store, ALICE, "list", "pods")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            Attributes("list", "", "pods", "", "default"),
            'pods is forbidden: User "alice" cannot list resource "pods" in API group "" '
            'in the namespace "default"',
        ),
        (
            Attributes("update", "apps", "deployments", "scale", "a", "d"),
            'deployments.apps "d" is forbidden: User "alice" cannot update resource '
            '"deployments/scale" in API group "apps" in the namespace "a"',
        ),
        (
            Attributes("get", "", "nodes", name="n"),
            'nodes "n" is forbidden: User "alice" cannot get resource "nodes" in API group "" '
            "at the cluster scope",
        ),
        (Attributes("get", path="/metrics"), 'forbidden: User "alice" cannot get path "/metrics"'),
    ],
)
def test_refusals_have_the_servers_words(store: Store, asked: Attributes, words: str) -> None:
    with pytest.raises(Forbidden) as caught:
        Authorizer(store).check(ALICE, asked)
    assert caught.value.message == words


def test_roles_and_bindings_are_checked(store: Store) -> None:
    with pytest.raises(Invalid, match="namespaced rules cannot apply"):
        role(store, ROLE, "bad", {"nonResourceURLs": ["/"], "verbs": ["get"]})
    with pytest.raises(Invalid, match="at least one resource"):
        role(store, ROLE, "bad", {"apiGroups": [""], "verbs": ["get"]})
    with pytest.raises(Invalid, match="verbs"):
        role(store, ROLE, "bad", {"apiGroups": [""], "resources": ["pods"]})
    with pytest.raises(Invalid, match="namespace"):
        bind(store, ROLE_BINDING, "r", "Role", {"kind": "ServiceAccount", "name": "x"})
    bind(store, ROLE_BINDING, "r", "Role", USER)
    with pytest.raises(Invalid, match="cannot change roleRef"):
        store.patch(ROLE_BINDING, "default", "r", {"roleRef": {"name": "other"}})
    role(store, CLUSTER_ROLE, "system:node:x", PODS)  # names of access may have colons


# --- tokens


def tokens(store: Store) -> Authenticator:
    return Authenticator(store, b"k" * 32, {"admin-token": ADMIN, "t2": ALICE})


def test_tokens_have_users(store: Store) -> None:
    authenticator = tokens(store)
    assert authenticator.authenticate("Bearer admin-token") == ADMIN
    assert authenticator.authenticate("bearer t2") == ALICE
    for header in ("", "Bearer", "Bearer ", "Basic t2", "Bearer t22", "t2", "Bearer \udcff"):
        with pytest.raises(Unauthorized):
            authenticator.authenticate(header)


def test_a_service_accounts_token_lives_as_long_as_the_account(
    store: Store, runtime: VirtualRuntime
) -> None:
    account = {"metadata": {"name": "bot", "namespace": "default"}}
    authenticator = tokens(store)
    with pytest.raises(NotFound):
        authenticator.issue("default", "bot", 3600)
    made = store.create(SERVICE_ACCOUNT, account)
    token, until = authenticator.issue("default", "bot", 3600)
    assert until == runtime.wall() + 3600
    user = authenticator.authenticate(f"Bearer {token}")
    assert user == account_user("default", "bot", made.uid)
    assert user.name == "system:serviceaccount:default:bot"
    assert "system:serviceaccounts:default" in user.groups
    # Another key's, and one that was changed.
    assert Authenticator(store, b"other", {}).review(token) is None
    head, body, signature = token.split(".")
    assert authenticator.review(f"{head}.{body[:-2]}xx.{signature}") is None
    assert authenticator.review(f"{head}.{body}.") is None
    store.delete(SERVICE_ACCOUNT, "default", "bot")
    assert authenticator.review(token) is None
    store.create(SERVICE_ACCOUNT, account)  # a namesake is another account
    assert authenticator.review(token) is None


def test_a_service_accounts_token_expires(store: Store, runtime: VirtualRuntime) -> None:
    authenticator = tokens(store)
    store.create(SERVICE_ACCOUNT, {"metadata": {"name": "bot", "namespace": "default"}})
    token, _ = authenticator.issue("default", "bot", 600)

    def main() -> None:
        assert authenticator.review(token) is not None
        runtime.sleep(601)
        assert authenticator.review(token) is None

    runtime.run(main)


def test_a_token_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text('# users\nt1,alice,u1,"dev,ops"\n\nt2,bob,\n'.replace("bob,\n", "bob,u2\n"))
    found = read_tokens(path)
    assert found["t1"] == User("alice", ("dev", "ops", AUTHENTICATED), "u1")
    assert found["t2"] == User("bob", (AUTHENTICATED,), "u2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secret-token\n", "line 1"),
        ("a,b,c\nsecret-token,b\n", "line 2"),
        ("a,b,c\na,d,e", "twice"),
    ],
)
def test_a_bad_token_file_is_told_without_its_tokens(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(BadTokens, match=words) as caught:
        read_tokens(path)
    assert "secret-token" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_token_file_for_all_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text("a,b,c")
    path.chmod(0o644)
    with pytest.raises(BadTokens, match="chmod 600"):
        read_tokens(path)


# --- what a cluster begins with


def test_the_manager_may_do_its_work_and_no_more(store: Store) -> None:
    install(store)
    manager = account_user(*MANAGER)
    group = "infrastructure.cluster.x-k8s.io"
    own = {"namespace": "beskar7-system"}
    for verb in ("get", "list", "watch", "update"):
        for resource in ("physicalhosts", "beskar7machines"):
            assert allowed(store, manager, verb, resource, group=group)
    assert allowed(store, manager, "update", "physicalhosts/status", group=group)
    assert allowed(store, manager, "watch", "secrets")
    assert allowed(store, manager, "create", "events", namespace="default")
    assert allowed(store, manager, "update", "leases", group="coordination.k8s.io", **own)
    assert allowed(store, manager, "list", "configmaps", **own)
    for verb in ("create", "delete", "patch"):
        assert not allowed(store, manager, verb, "physicalhosts", group=group)
    assert not allowed(store, manager, "list", "configmaps", namespace="default")
    assert not allowed(store, manager, "update", "leases", group="coordination.k8s.io")
    assert not allowed(store, manager, "delete", "leases", group="coordination.k8s.io", **own)
    assert not allowed(store, manager, "update", "secrets", **own)
    assert not allowed(store, manager, "get", "pods", **own)


def test_the_known_roles_are_there(store: Store) -> None:
    install(store)
    masters = User("root", ("system:masters",))
    assert allowed(store, masters, "anything", "whatever")
    assert Authorizer(store).decide(ALICE, Attributes("get", path="/apis/apps/v1"))
    bind_to = {"kind": "ClusterRole", "name": "view"}
    meta = {"name": "v", "namespace": "default"}
    store.create(ROLE_BINDING, {"metadata": meta, "roleRef": bind_to, "subjects": [USER]})
    assert allowed(store, ALICE, "list", "pods", namespace="default")
    assert not allowed(store, ALICE, "list", "secrets", namespace="default")


def test_every_namespace_has_its_default_account(store: Store) -> None:
    install(store)
    store.create(NAMESPACE, {"metadata": {"name": "lab"}})
    for namespace in ("default", "kube-system", "lab"):
        assert store.exists(SERVICE_ACCOUNT, namespace, "default")
    store.delete(NAMESPACE, None, "lab")
    assert not store.exists(NAMESPACE, None, "lab")
    assert not store.exists(SERVICE_ACCOUNT, "lab", "default")
