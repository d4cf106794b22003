"""HTTP to an API server: one request, its JSON, and its failure as an ``ApiError``.

The official client supplies what it knows best: kubeconfig with its authentication plugins, TLS,
the proxy and the connection pool. Its request layer is passed by, for it re-encodes every body
with the standard library's ``json`` and hides the response behind model classes.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.response import BaseHTTPResponse

from beskar7.api.errors import ApiError, InternalError, ServiceUnavailable, from_status
from beskar7.runtime import Deadline, DeadlineExceeded, Runtime

JSON = "application/json"
ANYTHING = "application/json, */*"
"""As kubectl asks for what may be text: a failure is to come as JSON."""
MAX_BODY = 512 * 1024 * 1024
"""Bytes of one answer; a list of 100,000 hosts of 4 KB takes 400 MB."""

KEEPALIVE: list[tuple[int, int, int]] = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    # A dead peer of an idle watch is found after 15 + 3 * 5 seconds, not after two hours.
    *(
        (socket.IPPROTO_TCP, getattr(socket, option), value)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
        if hasattr(socket, option)
    ),
]


class Transport:
    """One API server, one identity, one pool of connections; safe to use from many threads."""

    def __init__(self, configuration: Configuration, runtime: Runtime, pool_size: int) -> None:
        configuration.retries = False
        configuration.connection_pool_maxsize = pool_size
        configuration.socket_options = KEEPALIVE
        if _is_loopback(configuration.host):
            # As Go's clients do: a proxy of the environment is not asked about this machine.
            configuration.proxy = None
        self.configuration = configuration
        self._runtime = runtime
        self._api = ApiClient(configuration)
        self._pool: urllib3.PoolManager = self._api.rest_client.pool_manager
        self.host = str(configuration.host).rstrip("/")

    def request(
        self,
        method: str,
        path: str,
        *,
        user_agent: str,
        timeout: float,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
    ) -> Any:
        """The answer's JSON.

        ``timeout`` seconds bound the answer's head, and again its body. Raises an ``ApiError``:
        ``ServiceUnavailable`` for every failure of the network, else what the server said.
        """
        response = self.open(
            method,
            path,
            user_agent=user_agent,
            timeout=timeout,
            query=query,
            body=body,
            content_type=content_type,
        )
        data = self._body(response, f"{method} {path}", timeout, MAX_BODY)
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise InternalError(
                f"{method} {path}: HTTP {response.status} with a body that is not JSON"
            ) from error

    def fetch(
        self,
        path: str,
        *,
        user_agent: str,
        timeout: float,
        query: dict[str, str] | None = None,
        limit: int = MAX_BODY,
    ) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a GET whose answer need not be JSON; as :meth:`request` besides.

        A body of more than ``limit`` bytes is a failure of the network.
        """
        response = self.open(
            "GET", path, user_agent=user_agent, timeout=timeout, query=query, accept=ANYTHING
        )
        return self._body(response, f"GET {path}", timeout, limit), response.headers

    def _body(self, response: BaseHTTPResponse, asked: str, timeout: float, limit: int) -> bytes:
        try:
            data = self._read(response, Deadline(self._runtime, timeout, asked), limit)
        except (urllib3.exceptions.HTTPError, OSError, DeadlineExceeded) as error:
            raise self._unreachable(asked, error) from error
        if response.status >= 300:
            raise error_from(response, data)
        return data

    def open(
        self,
        method: str,
        path: str,
        *,
        user_agent: str,
        timeout: float,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> BaseHTTPResponse:
        """The answer with its body unread; the caller reads it to its end or closes it."""
        headers = {"Accept": accept, "User-Agent": user_agent}
        # Asked for every time: the asking renews the token of a plugin or a service account.
        settings: dict[str, Any] = dict(self.configuration.auth_settings())
        for auth in settings.values():
            if auth["in"] == "header" and auth["value"]:
                headers[auth["key"]] = auth["value"]
        payload = None
        if body is not None:
            headers["Content-Type"] = content_type
            payload = orjson.dumps(body)
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=payload,
                headers=headers,
                timeout=urllib3.Timeout(connect=timeout, read=timeout),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(f"{method} {path}", error) from error

    def close(self) -> None:
        self._pool.clear()

    def _read(self, response: BaseHTTPResponse, deadline: Deadline, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        complete = False
        try:
            while part := response.read1(1 << 20):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise urllib3.exceptions.HTTPError(f"more than {limit} bytes")
                deadline.check()
            complete = True
        finally:
            if not complete:
                # What is left of the body must not be taken for the next answer.
                response.close()
            response.release_conn()
        return b"".join(parts)

    def _unreachable(self, asked: str, error: Exception) -> ServiceUnavailable:
        timed_out = isinstance(error, DeadlineExceeded | urllib3.exceptions.TimeoutError)
        # urllib3 derives its error for a refused connection from the one for a slow one.
        if timed_out and not isinstance(error, urllib3.exceptions.NewConnectionError):
            why = "no answer in time"
        else:
            # urllib3 wraps what the socket said, as the cause or as the last argument.
            wrapped = [arg for arg in error.args if isinstance(arg, Exception)]
            told = error.__cause__ or (wrapped[-1] if wrapped else error)
            why = str(told) or type(told).__name__
        return ServiceUnavailable(f"{asked} at {self.host}: {why}")


def error_from(response: BaseHTTPResponse, data: bytes) -> ApiError:
    """What an answer of 300 or more stands for; ``details`` hold the header Retry-After, if any."""
    try:
        status = orjson.loads(data)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = data[:200].decode(errors="replace").strip()
        status = {"message": f"HTTP {response.status} {text}".strip()}
    error = from_status(response.status, status)
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdecimal():
        error.details.setdefault("retryAfterSeconds", int(retry_after))
    return error


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
