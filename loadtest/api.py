"""A Kubernetes API over one kept-alive HTTP connection, and streams on connections of their own.

Plain ``http.client``: it costs the least CPU per request of the clients measured, and a load test
that is itself the bottleneck measures itself.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from loadtest.kubeconfig import Access

GROUP_VERSION = "infrastructure.cluster.x-k8s.io/v1beta1"
MAX_BODY = 64 << 20
"""Largest answer that is read, bytes."""


class ApiError(Exception):
    """The API server said no; ``code`` is the HTTP status, ``reason`` that of the Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason


class Unreachable(Exception):
    """No usable answer came: refused, reset, timed out, or not JSON."""


def path(namespace: str, plural: str, name: str | None = None, **query: Any) -> str:
    """The URL path of a Beskar7 collection or object; ``query`` becomes the query string."""
    leaf = f"/{quote(name)}" if name else ""
    tail = f"?{urlencode(query)}" if query else ""
    return f"/apis/{GROUP_VERSION}/namespaces/{quote(namespace)}/{plural}{leaf}{tail}"


def events_path(namespace: str, field_selector: str) -> str:
    """The URL path of the Events that a field selector picks."""
    query = urlencode({"fieldSelector": field_selector})
    return f"/api/v1/namespaces/{quote(namespace)}/events?{query}"


class Api:
    """One user's way to the API server. Not shared between tasks."""

    def __init__(self, access: Access, agent: str, timeout: float = 10.0) -> None:
        """``timeout`` bounds each wait for the server, in seconds."""
        parts = urlsplit(access.server)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._context: ssl.SSLContext | None = access.ssl_context()
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": agent}
        if access.token:
            self._headers["Authorization"] = f"Bearer {access.token}"
        self._kept: http.client.HTTPConnection | None = None

    def get(self, path: str) -> dict[str, Any]:
        return self.request("GET", path)

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.request("POST", path, body)

    def delete(self, path: str) -> dict[str, Any]:
        return self.request("DELETE", path)

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON object that the server answers with. Raises ApiError, Unreachable."""
        data = None if body is None else json.dumps(body).encode()
        status, content = self._answer(method, path, data)
        return decode(status, content, f"{method} {path}")

    def text(self, path: str) -> str:
        """What the server answers with, as it is. Raises ApiError, Unreachable."""
        status, content = self._answer("GET", path, None)
        if status >= 400:
            decode(status, content, f"GET {path}")
        return content.decode(errors="replace")

    def _answer(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        headers = {**self._headers, "Content-Type": "application/json"} if data else self._headers
        reused = self._kept is not None
        try:
            response = self._exchange(method, path, data, headers)
            content = response.read(MAX_BODY + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # A server may close a connection that idles. Nothing was answered on it, so a request
            # that may be sent twice is sent once more.
            stale = isinstance(error, (http.client.RemoteDisconnected, ConnectionError))
            if reused and stale and method != "POST":
                return self._answer(method, path, data)
            raise Unreachable(f"{method} {path}: {error or type(error).__name__}") from None
        if len(content) > MAX_BODY:
            self.close()
            raise Unreachable(f"{method} {path}: an answer of more than {MAX_BODY} bytes")
        return response.status, content

    @contextmanager
    def stream(self, path: str, timeout: float) -> Iterator[http.client.HTTPResponse]:
        """An answer read while it comes; a silence of ``timeout`` seconds raises TimeoutError.

        Raises ApiError when the server refuses, Unreachable when it cannot be asked.
        """
        connection = self._connection(timeout)
        try:
            try:
                connection.request("GET", self._prefix + path, headers=self._headers)
                response = connection.getresponse()
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"GET {path}: {error or type(error).__name__}") from None
            if response.status != 200:
                decode(response.status, response.read(MAX_BODY), f"GET {path}")
                raise Unreachable(f"GET {path}: HTTP {response.status}")
            yield response
        finally:
            connection.close()

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout, context=self._context
        )

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        if self._kept is None:
            self._kept = self._connection(self._timeout)
        self._kept.request(method, self._prefix + path, body=data, headers=headers)
        return self._kept.getresponse()


def decode(status: int, content: bytes, what: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises ApiError for an error status, Unreachable for none."""
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if status >= 400:
        said = document if isinstance(document, dict) else {}
        raise ApiError(status, str(said.get("reason", "")), str(said.get("message", what)))
    if not isinstance(document, dict):
        raise Unreachable(f"{what}: HTTP {status} without a JSON object")
    return document
