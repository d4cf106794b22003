"""Whether a cluster can be put under load: what is said where it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.api import Api, ApiError, Unreachable
from loadtest.kubeconfig import Access
from loadtest.preflight import NotReady, preflight

pytestmark = pytest.mark.unit


class Server(Api):
    """Answers a list with ``listed``, and reviews by the verbs that are allowed."""

    def __init__(self, listed: Exception | None, allowed: set[str] | ApiError) -> None:
        super().__init__(Access("http://127.0.0.1:9"), "test")
        self.listed = listed
        self.allowed = allowed
        self.asked: list[dict[str, Any]] = []

    def get(self, path: str) -> dict[str, Any]:
        if self.listed:
            raise self.listed
        return {"items": []}

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.allowed, ApiError):
            raise self.allowed
        self.asked.append(body["spec"]["resourceAttributes"])
        return {"status": {"allowed": self.asked[-1]["verb"] in self.allowed}}


ALL = {"create", "watch", "delete"}


@pytest.mark.parametrize(
    ("listed", "allowed", "said"),
    [
        (Unreachable("GET /x: refused"), ALL, "the API server cannot be reached: GET /x: refused"),
        (ApiError(401, "Unauthorized", "no"), ALL, "token or certificate of the kubeconfig"),
        (ApiError(404, "NotFound", "no"), ALL, "beskar7 manifests | kubectl apply -f -"),
        (ApiError(403, "Forbidden", "no"), ALL, "needs list, create, watch, delete"),
        (None, {"watch"}, "may not create, delete beskar7machines in namespace metal"),
    ],
)
def test_what_is_missing_is_said(listed: Exception | None, allowed: set[str], said: str) -> None:
    with pytest.raises(NotReady) as told:
        preflight(Server(listed, allowed), "https://metal:6443", "metal")
    assert str(told.value).startswith("https://metal:6443: ")
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("listed", "allowed"),
    [
        (None, ALL),
        (ApiError(503, "ServiceUnavailable", "busy"), ALL),
        (None, ApiError(404, "NotFound", "no reviews here")),
    ],
)
def test_who_may_is_let_through_and_a_busy_server_is_no_obstacle(
    listed: Exception | None, allowed: set[str] | ApiError
) -> None:
    server = Server(listed, allowed)
    preflight(server, "https://metal:6443", "metal")
    assert {each["namespace"] for each in server.asked} <= {"metal"}
