"""The Kubernetes port over HTTP, for a real API server or the emulated one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import yaml
from kubernetes import config as kubeconfig
from kubernetes.client import Configuration

from beskar7.api.errors import BadRequest, InternalError
from beskar7.api.kinds import Kind
from beskar7.kube.port import Object, ObjectList, PatchType
from beskar7.kube.ratelimit import TokenBucket
from beskar7.kube.stream import WatchStream
from beskar7.kube.transport import JSON, Transport, error_from
from beskar7.runtime import LiveRuntime, Runtime

POOL_SIZE = 32
"""Connections kept: the default of 10 reconcilers, as many queue workers, and the watches."""

PATCH_TYPES: dict[PatchType, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}
WATCH_GRACE = 5.0
"""Seconds that a server gets to end a watch itself after ``timeoutSeconds``."""


class KubeconfigError(Exception):
    """There is no usable configuration; the message is for the user."""


class KubeClient:
    """Implements :class:`beskar7.kube.port.Kube`. Threads may share it. Nothing is retried."""

    def __init__(
        self,
        transport: Transport,
        runtime: Runtime,
        *,
        user_agent: str,
        request_timeout: float,
        limit: TokenBucket | None = None,
    ) -> None:
        if not math.isfinite(request_timeout) or request_timeout <= 0:
            raise ValueError(f"request_timeout must be more than 0 seconds, not {request_timeout}")
        self._transport = transport
        self._runtime = runtime
        self._user_agent = user_agent
        self._timeout = request_timeout
        self._limit = limit

    @classmethod
    def from_configuration(
        cls,
        configuration: Configuration,
        *,
        user_agent: str = "beskar7-manager",
        request_timeout: float = 10.0,
        pool_size: int = POOL_SIZE,
        runtime: Runtime | None = None,
        limit: TokenBucket | None = None,
    ) -> Self:
        """``request_timeout`` in seconds; it bounds an answer's head, and again its body.

        ``limit`` is asked before each request, but for the renewal of watches.
        """
        runtime = runtime or LiveRuntime()
        transport = Transport(configuration, runtime, pool_size)
        return cls(
            transport,
            runtime,
            user_agent=user_agent,
            request_timeout=request_timeout,
            limit=limit,
        )

    @classmethod
    def from_kubeconfig(
        cls, path: str | Path | None = None, *, context: str | None = None, **options: Any
    ) -> Self:
        """``path`` None: ``$KUBECONFIG``, else ``~/.kube/config``.

        Options as of :meth:`from_configuration`. Raises :class:`KubeconfigError`.
        """
        configuration = Configuration()
        where = f"kubeconfig {path}" if path else "kubeconfig"
        try:
            kubeconfig.load_kube_config(  # type: ignore[no-untyped-call] # it has no annotations
                config_file=str(path) if path else None,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except OSError as error:
            raise KubeconfigError(f"{where}: {error.strerror or error}") from error
        except (
            kubeconfig.ConfigException,
            yaml.YAMLError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ) as error:
            raise KubeconfigError(f"{where}: {_first_line(error)}") from error
        return cls.from_configuration(configuration, **options)

    @classmethod
    def in_cluster(cls, **options: Any) -> Self:
        """By the pod's service account. Raises :class:`KubeconfigError` outside of a pod."""
        configuration = Configuration()
        try:
            load = kubeconfig.load_incluster_config
            load(client_configuration=configuration)  # type: ignore[no-untyped-call] # as above
        except kubeconfig.ConfigException as error:
            raise KubeconfigError(f"not in a cluster: {_first_line(error)}") from error
        return cls.from_configuration(configuration, **options)

    def with_timeout(self, request_timeout: float) -> Self:
        """The same connections, another patience, and no limit of requests: leader election must
        not wait as others do."""
        return type(self)(
            self._transport,
            self._runtime,
            user_agent=self._user_agent,
            request_timeout=request_timeout,
        )

    @property
    def host(self) -> str:
        return self._transport.host

    def close(self) -> None:
        """Drop idle connections."""
        self._transport.close()

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return self._call("GET", _path(kind, namespace, name))

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        path = kind.path(_quoted(namespace))
        query = _selectors(label_selector, field_selector)
        items: list[Object] = []
        while True:
            page = self._call("GET", path, query)
            metadata = page.get("metadata") or {}
            items.extend(page.get("items") or ())
            token = metadata.get("continue")
            if not token:
                break
            query["continue"] = token
        for item in items:
            # A server leaves the type out of the items of a list of built-in kinds.
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        return ObjectList(items, str(metadata.get("resourceVersion") or ""))

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> WatchStream:
        path = kind.path(_quoted(namespace))
        query = _selectors(label_selector, field_selector) | {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, math.ceil(timeout))),
        }
        response = self._transport.open(
            "GET", path, user_agent=self._user_agent, timeout=self._timeout, query=query
        )
        if response.status >= 300:
            data = response.read(1 << 20)
            response.close()
            response.release_conn()
            raise error_from(response, data)
        return WatchStream(response, self._runtime, self._runtime.now() + timeout + WATCH_GRACE)

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        namespace = (obj.get("metadata") or {}).get("namespace")
        _require_namespace(kind, namespace)
        query = {"dryRun": "All"} if dry_run else None
        return self._call("POST", kind.path(_quoted(namespace)), query, body=obj)

    def update(self, kind: Kind, obj: Object) -> Object:
        return self._call("PUT", _path_of(kind, obj), body=obj)

    def update_status(self, kind: Kind, obj: Object) -> Object:
        return self._call("PUT", _path_of(kind, obj) + "/status", body=obj)

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        type: PatchType = "merge",
        subresource: str | None = None,
    ) -> Object:
        path = _path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self._call("PATCH", path, body=patch, content_type=PATCH_TYPES[type])

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        held = {field: value for field, value in preconditions.items() if value}
        body: Object | None = None
        if held:
            body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": held}
        self._call("DELETE", _path(kind, namespace, name), body=body)

    def read_forwarded(
        self, namespace: str, pod: str, port: int, path: str, *, limit: int
    ) -> bytes:
        """As :func:`beskar7.kube.forward.get_forwarded`."""
        # Late: most clients forward nothing, and the library's module takes its time.
        from beskar7.kube.forward import get_forwarded

        where = (namespace, pod)
        settings = self._transport.configuration
        return get_forwarded(settings, where, port, path, timeout=self._timeout, limit=limit)

    def read(
        self, path: str, query: dict[str, str] | None = None, *, limit: int
    ) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a GET of what is no object: a log, a pod's page, the version.

        Raises an ``ApiError``, ``ServiceUnavailable`` also for more than ``limit`` bytes.
        """
        if self._limit is not None:
            self._limit.acquire()
        return self._transport.fetch(
            path, user_agent=self._user_agent, timeout=self._timeout, query=query, limit=limit
        )

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        *,
        body: Any = None,
        content_type: str = JSON,
    ) -> Object:
        if self._limit is not None:
            self._limit.acquire()
        answer = self._transport.request(
            method,
            path,
            user_agent=self._user_agent,
            timeout=self._timeout,
            query=query,
            body=body,
            content_type=content_type,
        )
        if not isinstance(answer, dict):
            raise InternalError(f"{method} {path}: the answer is not an object")
        return answer


def _path(kind: Kind, namespace: str | None, name: str) -> str:
    if not name:
        # The path would be the collection's: a GET would list, a DELETE would empty it.
        raise BadRequest(f"{kind}: the name of the object is empty")
    _require_namespace(kind, namespace)
    return kind.path(_quoted(namespace), quote(name, safe=""))


def _path_of(kind: Kind, obj: Object) -> str:
    metadata = obj.get("metadata") or {}
    return _path(kind, metadata.get("namespace"), metadata.get("name") or "")


def _require_namespace(kind: Kind, namespace: str | None) -> None:
    if kind.namespaced and not namespace:
        raise BadRequest(f"{kind}: the object's namespace is empty")


def _quoted(namespace: str | None) -> str | None:
    return quote(namespace, safe="") if namespace else None


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    query = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in query.items() if value}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
