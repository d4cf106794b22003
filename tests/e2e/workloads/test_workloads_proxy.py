"""``pods/NAME:PORT/proxy``: what a pod serves, read through the API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from emulator.kube.workloads.images import METRICS_PORT, PROBES_PORT

pytestmark = pytest.mark.e2e


@pytest.fixture
def get(lab: Any) -> Callable[..., requests.Response]:
    name = lab.pods()[0]["metadata"]["name"]

    def read(tail: str, method: str = "GET", **headers: str) -> requests.Response:
        return requests.request(
            method,
            f"{lab.url}/api/v1/namespaces/beskar7-system/pods/{tail.format(name=name)}",
            headers=headers or lab.authorization,
            verify=str(lab.directory / "ca.crt"),
            timeout=20,
        )

    return read


def test_a_pods_pages_are_passed_on_with_their_status_and_type(
    get: Callable[..., requests.Response],
) -> None:
    metrics = get(f"{{name}}:{METRICS_PORT}/proxy/metrics")
    assert metrics.status_code == 200
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# HELP beskar7_leader" in metrics.text  # the pod's own, not the sum's bare samples
    assert get(f"http:{{name}}:{PROBES_PORT}/proxy/healthz").text == "ok\n"
    assert get(f"{{name}}:{METRICS_PORT}/proxy/nowhere").status_code == 404
    # Without a port it is the first that a container names.
    assert get("{name}/proxy/metrics").text.count("# HELP beskar7_leader") == 1


@pytest.mark.parametrize(
    ("tail", "code", "told"),
    [
        ("{name}:1/proxy/metrics", 503, "error trying to reach service"),
        ("nobody:8080/proxy/metrics", 404, "nobody"),
        ("https:{name}:8080/proxy/metrics", 400, "plain HTTP"),
        ("{name}:99999/proxy/metrics", 400, "not a port"),
        ("{name}:x/proxy/metrics", 400, "invalid pod request"),
    ],
)
def test_what_cannot_be_reached_says_why(
    get: Callable[..., requests.Response], tail: str, code: int, told: str
) -> None:
    answer = get(tail)
    assert answer.status_code == code
    assert told in answer.json()["message"]


def test_only_reading_and_only_with_the_right(
    lab: Any, get: Callable[..., requests.Response]
) -> None:
    page = f"{{name}}:{METRICS_PORT}/proxy/metrics"
    assert get(page, method="POST").status_code == 405
    assert get(page, Accept="*/*").status_code == 401
    review = requests.post(
        f"{lab.url}/apis/authorization.k8s.io/v1/subjectaccessreviews",
        json={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": "system:serviceaccount:beskar7-system:beskar7-controller-manager",
                "resourceAttributes": {
                    "verb": "get",
                    "resource": "pods",
                    "subresource": "proxy",
                    "namespace": "beskar7-system",
                },
            },
        },
        headers=lab.authorization,
        verify=str(lab.directory / "ca.crt"),
        timeout=20,
    )
    assert review.json()["status"]["allowed"] is False
