"""Access over HTTP: users of a token file, service accounts, reviews, and the least privilege."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

pytestmark = pytest.mark.e2e

RBAC = "/apis/rbac.authorization.k8s.io/v1"
SYSTEM = "/api/v1/namespaces/beskar7-system"
REVIEWS = "/apis/authorization.k8s.io/v1"
INFRASTRUCTURE = "/apis/infrastructure.cluster.x-k8s.io/v1beta1"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, server_starter: Any) -> Iterator[Any]:
    """A server that also knows alice, and bob of ops."""
    path = tmp_path_factory.mktemp("users") / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text('alice-token,alice,u1\nbob-token,bob,u2,"ops"\n')
    server = server_starter(tmp_path_factory.mktemp("kube"), "--token-auth-file", str(path))
    yield server
    _, errors = server.process.communicate(timeout=20)
    assert "Traceback" not in errors
    assert "alice-token" not in errors


class Client:
    def __init__(self, server: Any, token: str) -> None:
        self.session = server.session
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.url = server.url

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        answer: requests.Response = self.session.request(method, self.url + path, json=body)
        found: dict[str, Any] = answer.json()
        return answer.status_code, found


@pytest.fixture
def admin(guarded: Any) -> Iterator[Client]:
    client = Client(guarded, guarded.token)
    yield client
    client.session.close()


@pytest.fixture
def alice(guarded: Any) -> Iterator[Client]:
    client = Client(guarded, "alice-token")
    yield client
    client.session.close()


def test_roles_open_what_they_name(admin: Client, alice: Client) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    code, status = alice("GET", path)
    assert (code, status["reason"], status["details"]) == (403, "Forbidden", {"kind": "configmaps"})
    assert status["message"] == (
        'configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" '
        'in the namespace "default"'
    )
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "create"]}
    roles = f"{RBAC}/namespaces/default"
    role = {"metadata": {"name": "maps"}, "rules": [rule]}
    binding = {
        "metadata": {"name": "maps"},
        "roleRef": {"kind": "Role", "name": "maps"},
        "subjects": [{"kind": "User", "name": "alice"}],
    }
    assert admin("POST", f"{roles}/roles", role)[0] == 201
    assert admin("POST", f"{roles}/rolebindings", binding)[0] == 201
    assert alice("GET", path)[0] == 200
    assert alice("POST", path, {"metadata": {"name": "hers"}})[0] == 201
    assert alice("DELETE", f"{path}/hers")[0] == 403
    assert alice("GET", "/api/v1/configmaps")[0] == 403
    assert admin("DELETE", f"{roles}/rolebindings/maps")[0] == 200
    assert alice("GET", path)[0] == 403


def test_a_user_without_roles_sees_only_what_is_for_all(alice: Client) -> None:
    for path in ("/api", "/apis", "/apis/apps/v1", "/openapi/v3", "/version", "/readyz"):
        assert alice.session.get(alice.url + path).status_code == 200
    for path in ("/metrics", "/lab/writes", "/lab/faults", "/nowhere", "/"):
        code, status = alice("GET", path)
        assert (code, status["reason"]) == (403, "Forbidden")
        assert f'cannot get path "{path}"' in status["message"]
    code, status = alice("GET", "/api/v1/namespaces/default/pods/p/log")
    assert code == 403
    assert '"pods/log"' in status["message"]
    # Forbidden comes before not found: the answer tells nothing of what there is.
    assert alice("GET", "/apis/absent.io/v1/things")[0] == 403


def test_one_may_ask_what_one_may(admin: Client, alice: Client) -> None:
    def may(client: Client, verb: str, resource: str, **more: str) -> bool:
        about = {"verb": verb, "resource": resource, "namespace": "default", **more}
        body = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": about}}
        code, answer = client("POST", f"{REVIEWS}/selfsubjectaccessreviews", body)
        assert code == 201
        return bool(answer["status"]["allowed"])

    assert may(admin, "delete", "deployments", group="apps")
    assert not may(alice, "get", "secrets")
    manager = "system:serviceaccount:beskar7-system:beskar7-controller-manager"
    about = {"verb": "update", "group": "infrastructure.cluster.x-k8s.io"}
    spec = {"user": manager, "resourceAttributes": {**about, "resource": "physicalhosts"}}
    _, answer = admin("POST", f"{REVIEWS}/subjectaccessreviews", {"spec": spec})
    assert answer["status"]["allowed"] is True
    assert "beskar7-manager-rolebinding" in answer["status"]["reason"]
    assert alice("POST", f"{REVIEWS}/subjectaccessreviews", {"spec": spec})[0] == 403
    rules = {"spec": {"namespace": "default"}}
    _, answer = alice("POST", f"{REVIEWS}/selfsubjectrulesreviews", rules)
    open_rules = answer["status"]["nonResourceRules"]
    paths = [path for rule in open_rules for path in rule["nonResourceURLs"]]
    assert "/openapi/*" in paths
    _, answer = alice("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert answer["status"]["userInfo"]["username"] == "alice"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("selfsubjectaccessreviews", {}, 422),
        ("selfsubjectaccessreviews", {"spec": {}}, 400),
        ("selfsubjectaccessreviews", {"kind": "Pod", "spec": {}}, 400),
        ("selfsubjectaccessreviews", {"spec": {"resourceAttributes": 5}}, 422),
        ("selfsubjectaccessreviews", [], 400),
        ("selfsubjectrulesreviews", {"spec": {}}, 400),
        ("subjectaccessreviews", {"spec": {"nonResourceAttributes": {}}}, 422),
    ],
)
def test_questions_that_make_no_sense(admin: Client, path: str, body: Any, code: int) -> None:
    assert admin("POST", f"{REVIEWS}/{path}", body)[0] == code
    assert admin("GET", f"{REVIEWS}/{path}")[0] == 405


def test_accounts_get_tokens(admin: Client, guarded: Any) -> None:
    assert admin("POST", f"{SYSTEM}/serviceaccounts", {"metadata": {"name": "bot"}})[0] == 201
    request = {"spec": {"expirationSeconds": 600}}
    code, made = admin("POST", f"{SYSTEM}/serviceaccounts/bot/token", request)
    assert code == 201
    token = made["status"]["token"]
    review = "/apis/authentication.k8s.io/v1/tokenreviews"
    _, answer = admin("POST", review, {"spec": {"token": token}})
    assert answer["status"]["user"]["username"] == "system:serviceaccount:beskar7-system:bot"
    assert token not in str(answer)
    _, answer = admin("POST", review, {"spec": {"token": "other"}})
    assert answer["status"]["authenticated"] is False
    bot = Client(guarded, token)
    assert bot("GET", "/api/v1/pods")[0] == 403
    assert admin("DELETE", f"{SYSTEM}/serviceaccounts/bot")[0] == 200
    assert bot("GET", "/api/v1/pods")[0] == 401
    bot.session.close()
    request = {"spec": {"expirationSeconds": 5}}
    assert admin("POST", f"{SYSTEM}/serviceaccounts/default/token", request)[0] == 422
    assert admin("POST", f"{SYSTEM}/serviceaccounts/absent/token", {})[0] == 404


def test_the_managers_file_is_private_and_opens_only_its_work(guarded: Any) -> None:
    path: Path = guarded.directory / "beskar7-controller-manager.kubeconfig"
    assert path.stat().st_mode & 0o777 == 0o600
    config = yaml.safe_load(path.read_text())
    token = config["users"][0]["user"]["token"]
    token_file = guarded.directory / "beskar7-controller-manager.token"
    assert token_file.read_text() == token
    assert token_file.stat().st_mode & 0o777 == 0o600
    manager = Client(guarded, token)
    for path_, code in {
        f"{INFRASTRUCTURE}/physicalhosts": 200,
        f"{INFRASTRUCTURE}/beskar7machines": 200,
        "/api/v1/secrets": 200,
        f"{SYSTEM}/configmaps": 200,
        "/api/v1/configmaps": 403,
        f"{SYSTEM}/pods": 403,
        f"{INFRASTRUCTURE}/beskar7clusters": 200,
        "/apis/apps/v1/namespaces/beskar7-system/deployments": 403,
    }.items():
        assert manager("GET", path_)[0] == code, path_
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "m"}}
    leases = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
    assert manager("POST", leases.format("beskar7-system"), lease)[0] == 201
    assert manager("POST", leases.format("default"), lease)[0] == 403
    manager.session.close()


def test_who_may_be_another(guarded: Any, admin: Client, alice: Client) -> None:
    headers = {"Impersonate-User": "carol", "Impersonate-Group": "ops"}
    url = guarded.url + "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    info = admin.session.post(url, json={}, headers=headers).json()["status"]["userInfo"]
    assert info == {"username": "carol", "groups": ["ops", "system:authenticated"]}
    refused = alice.session.post(url, json={}, headers=headers)
    assert refused.status_code == 403
    assert 'cannot impersonate resource "users"' in refused.json()["message"]
    alone = {"Impersonate-Group": "system:masters"}
    assert alice.session.post(url, json={}, headers=alone).status_code == 400


@pytest.mark.parametrize(
    ("mode", "text", "words"), [(0o644, "a,b,c", "chmod 600"), (0o600, "x", "line 1")]
)
def test_a_bad_token_file_is_one_line_and_exit_code_2(
    spawn_server: Any, tmp_path: Path, mode: int, text: str, words: str
) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text(text)
    path.chmod(mode)
    process = spawn_server("--dir", str(tmp_path / "d"), "--token-auth-file", str(path))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert words in errors
    assert "Traceback" not in errors


def test_who_may_write_roles_cannot_give_more_than_she_has(admin: Client, alice: Client) -> None:
    roles = f"{RBAC}/namespaces/default"
    rules = [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]},
    ]
    subjects = [{"kind": "User", "name": "alice"}]
    ref = {"kind": "Role", "name": "grower"}
    binding = {"metadata": {"name": "grower"}, "roleRef": ref, "subjects": subjects}
    role = {"metadata": {"name": "grower"}, "rules": rules}
    assert admin("POST", f"{roles}/roles", role)[0] == 201
    assert admin("POST", f"{roles}/rolebindings", binding)[0] == 201
    same = {"metadata": {"name": "same"}, "rules": rules[1:]}
    assert alice("POST", f"{roles}/roles", same)[0] == 201
    more = {"metadata": {"name": "more"}, "rules": [{**rules[1], "verbs": ["get", "delete"]}]}
    code, status = alice("POST", f"{roles}/roles", more)
    assert (code, status["reason"], status["details"]["kind"]) == (403, "Forbidden", "roles")
    assert "attempting to grant RBAC permissions not currently held" in status["message"]
    strong = {"kind": "ClusterRole", "name": "cluster-admin"}
    bound = {"metadata": {"name": "strong"}, "roleRef": strong, "subjects": subjects}
    assert alice("POST", f"{roles}/rolebindings", bound)[0] == 403
    assert admin("POST", f"{roles}/roles", more)[0] == 201
