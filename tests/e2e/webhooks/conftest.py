"""The manager's webhook server over real HTTPS, and a client that asks as kube-apiserver does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from beskar7.api.admission import Reader
from beskar7.api.errors import Timeout
from beskar7.runtime import LiveRuntime
from beskar7.webhooks import WebhookServer
from emulator.certificates import Certificates, issue


def certify(directory: Path, subject: str = "beskar7-webhook-service") -> Path:
    """A pair as a Secret of type kubernetes.io/tls is mounted; the authority's file."""
    files = Certificates(directory / "ca.crt", directory / "tls.crt", directory / "tls.key")
    issue(
        files,
        authority="webhook-ca",
        subject=subject,
        names=("localhost", "127.0.0.1"),
        wall=LiveRuntime().wall(),
        lifetime=timedelta(days=1),
    )
    return files.authority


class Caller:
    """Sends AdmissionReviews to a webhook server."""

    def __init__(self, url: str, authority: Path) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(authority)

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        if not isinstance(body, bytes):
            options["json"] = body
        else:
            options["data"] = body
        return self.session.post(f"{self.url}{path}", timeout=20, **options)

    def ask(self, path: str, operation: str, **request: Any) -> dict[str, Any]:
        """The response within the review that comes back."""
        subject = request.get("object") or request.get("oldObject")
        group, _, version = subject["apiVersion"].partition("/")
        gvk = {"group": group, "version": version, "kind": subject["kind"]}
        review = {
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "kind": gvk,
                "resource": {**gvk, "resource": f"{subject['kind'].lower()}s"},
                "requestKind": gvk,
                "name": subject["metadata"].get("name", ""),
                "namespace": subject["metadata"].get("namespace", ""),
                "operation": operation,
                "userInfo": {"username": "admin", "groups": ["system:authenticated"]},
                "object": None,
                "oldObject": None,
                "dryRun": False,
                "options": {"kind": f"{operation.title()}Options", "apiVersion": "meta.k8s.io/v1"},
                **request,
            },
        }
        answer = self.post(path, review, headers={"Accept": "application/json, */*"})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["kind"], found["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
        assert found["response"]["uid"] == review["request"]["uid"]
        return found["response"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebhookServer, Path]]:
    """A running server that reads nothing yet, and the directory of its certificate."""
    directory = tmp_path_factory.mktemp("webhook-certs")
    certify(directory)
    server = WebhookServer("127.0.0.1:0", directory, Unread(), LiveRuntime())
    server.start()
    yield server, directory
    server.shutdown()
    server.server_close()


@pytest.fixture
def webhooks(serving: tuple[WebhookServer, Path]) -> Callable[[Reader], Caller]:
    """A client of the server, which reads from the given port from now on."""
    server, directory = serving

    def use(reader: Reader) -> Caller:
        server.reader = reader
        return Caller(f"https://127.0.0.1:{server.port}", directory / "ca.crt")

    return use


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A directory with tls.crt and tls.key, and ca.crt to trust them by."""
    directory = tmp_path / "certs"
    directory.mkdir()
    certify(directory)
    return directory


@pytest.fixture
def caller_at(certificate: Path) -> Callable[[int], Caller]:
    """A client of whoever serves with that certificate at a port."""
    return lambda port: Caller(f"https://127.0.0.1:{port}", certificate / "ca.crt")


class Unread:
    """An API that never answers in time."""

    def get(self, *_: Any) -> Any:
        raise Timeout("no answer")

    list = get
