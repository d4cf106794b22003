"""The webhook server: what it makes of bad input and bad clients, and of a new certificate."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from beskar7 import webhooks as module
from beskar7.api.errors import ServiceUnavailable
from beskar7.runtime import LiveRuntime
from beskar7.webhooks import MAX_BODY, CertificateError, Certificates, WebhookServer
from emulator.certificates import Certificates as Files
from emulator.certificates import issue

pytestmark = pytest.mark.e2e

HOST_PATH = "/validate-infrastructure-cluster-x-k8s-io-v1beta1-physicalhost"
MUTATE_PATH = "/mutate-infrastructure-cluster-x-k8s-io-v1beta1-physicalhost"


class Down:
    """An API that cannot be reached."""

    def get(self, *_: Any) -> Any:
        raise ServiceUnavailable("no route to host")

    list = get


@pytest.fixture
def caller(webhooks: Callable[[Any], Any]) -> Any:
    return webhooks(Down())


def host(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "PhysicalHost",
        "metadata": {"name": "h", "namespace": "default"},
        "spec": spec,
    }


def review(**request: Any) -> dict[str, Any]:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u", **request},
    }


def test_an_api_that_is_down_refuses_nothing(caller: Any) -> None:
    connection = {"address": "https://10.0.0.1", "credentialsSecretRef": "bmc"}
    said = caller.ask(HOST_PATH, "CREATE", object=host(redfishConnection=connection))
    assert said["allowed"]
    assert said["warnings"] == [
        "Secret bmc could not be read, so it was not checked: ServiceUnavailable"
    ]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{", "not valid JSON"),
        (b"[" * 100_000, "nests too deeply"),
        (b"[]", "must be an AdmissionReview"),
        (b"null", "must be an AdmissionReview"),
        (json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(), "of admis"),
        (json.dumps({**review(), "request": []}).encode(), "request.uid"),
        (json.dumps(review(uid="")).encode(), "request.uid"),
    ],
)
@pytest.mark.parametrize("path", [HOST_PATH, MUTATE_PATH])
def test_what_is_no_review_is_the_clients_mistake(
    caller: Any, path: str, body: bytes, hint: str
) -> None:
    answer = caller.post(path, body)
    assert answer.status_code == 400
    assert hint in answer.json()["message"]


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ({"operation": "CONNECT"}, "must be one of CREATE, UPDATE, DELETE"),
        ({"operation": "CREATE"}, "not for"),
        ({"operation": "CREATE", "object": {"kind": "Pod", "apiVersion": "v1"}}, "not for v1 Pod"),
        ({"operation": "CREATE", "object": "host"}, "this path is for"),
    ],
)
@pytest.mark.parametrize("path", [HOST_PATH, MUTATE_PATH])
def test_a_review_of_something_else_is_refused_in_its_own_form(
    caller: Any, path: str, request_: dict[str, Any], hint: str
) -> None:
    answer = caller.post(path, review(**request_))
    assert answer.status_code == 200
    response = answer.json()["response"]
    assert (response["uid"], response["allowed"]) == ("u", False)
    assert response["status"]["code"] == 400
    assert hint in response["status"]["message"]


def test_an_object_of_any_shape_gets_an_answer(caller: Any) -> None:
    for wild in (host(redfishConnection=[1]), {**host(), "spec": 7}, {**host(), "metadata": None}):
        for path in (MUTATE_PATH, HOST_PATH):
            answer = caller.post(path, review(operation="CREATE", object=wild))
            assert answer.status_code == 200, answer.text


def test_other_paths_and_methods(caller: Any) -> None:
    assert caller.post("/validate-something-else", review()).status_code == 404
    assert caller.session.get(caller.url + HOST_PATH, timeout=5).status_code == 405


def test_a_body_has_bounds(caller: Any, serving: Any) -> None:
    server, directory = serving
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    for declared, status in (
        (MAX_BODY + 1, 413),
        ("9" * 100, 413),
        ("-1", 400),
        ("1e3", 400),
        (None, 400),
    ):
        plain = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=5)
        plain.putrequest("POST", HOST_PATH)
        if declared is None:
            plain.putheader("Transfer-Encoding", "chunked")
        else:
            plain.putheader("Content-Length", str(declared))
        plain.endheaders()
        assert plain.getresponse().status == status  # before a byte of the body has come
        plain.close()


def test_one_connection_serves_many_reviews(caller: Any, serving: Any) -> None:
    server, _ = serving
    seen: list[int] = []
    original = server.verify_request

    def counted(request: Any, client: Any) -> bool:
        seen.append(1)
        return bool(original(request, client))

    server.verify_request = counted
    try:
        for _ in range(5):
            assert caller.post(HOST_PATH, review(operation="DELETE", oldObject=host())).ok
    finally:
        del server.verify_request
    assert len(seen) == 1


def test_who_speaks_no_tls_holds_nobody_up(caller: Any, serving: Any) -> None:
    server, _ = serving
    silent = socket.create_connection(("127.0.0.1", server.port))
    rude = socket.create_connection(("127.0.0.1", server.port))
    rude.sendall(b"POST / HTTP/1.1\r\n\r\n")
    try:
        assert caller.post(HOST_PATH, review(operation="DELETE", oldObject=host())).ok
    finally:
        silent.close()
        rude.close()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://127.0.0.1:{server.port}/", timeout=5)


def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)
    pair(tmp_path, "one")
    server = WebhookServer("127.0.0.1:0", tmp_path, Down(), LiveRuntime())
    server.start()
    held = [connected(server, tmp_path) for _ in range(2)]
    try:
        with pytest.raises(OSError, match=r"."):
            connected(server, tmp_path)
    finally:
        for each in held:
            each.close()
        server.shutdown()
        server.server_close()


def pair(directory: Path, subject: str) -> None:
    issue(
        Files(directory / "ca.crt", directory / "tls.crt", directory / "tls.key"),
        authority="webhook-ca",
        subject=subject,
        names=("127.0.0.1",),
        wall=LiveRuntime().wall(),
        lifetime=timedelta(days=1),
    )


def connected(server: WebhookServer, directory: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def subject_of(server: WebhookServer, directory: Path) -> str:
    with connected(server, directory) as connection:
        found = connection.getpeercert()
    assert found is not None
    return str(dict(part[0] for part in found["subject"])["commonName"])


def test_a_renewed_certificate_is_served_to_the_next_client(tmp_path: Path) -> None:
    pair(tmp_path, "one")
    server = WebhookServer("127.0.0.1:0", tmp_path, Down(), LiveRuntime())
    server.start()
    try:
        assert subject_of(server, tmp_path) == "one"
        authority = (tmp_path / "ca.crt").read_bytes()
        pair(tmp_path, "two")
        assert subject_of(server, tmp_path) == "two"
        # In the middle of the next renewal: the pair of before goes on.
        second = (tmp_path / "ca.crt").read_bytes()
        (tmp_path / "tls.key").write_text("no key")
        assert subject_of(server, tmp_path) == "two"
        (tmp_path / "tls.key").unlink()
        assert subject_of(server, tmp_path) == "two"
        assert authority != second
    finally:
        server.shutdown()
        server.server_close()


def test_a_first_certificate_must_be_good(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"--webhook-cert-dir: .*tls.crt: No such file"):
        Certificates(tmp_path)
    pair(tmp_path, "one")
    (tmp_path / "tls.key").write_text("no key")
    with pytest.raises(CertificateError, match="no pair in PEM"):
        Certificates(tmp_path)
