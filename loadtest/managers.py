"""The managers of the installation: their pods, and what each of them says of itself in metrics."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from loadtest.api import Api, ApiError, Unreachable

SYSTEM = "beskar7-system"
PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
LIST = f"{PODS}?{urlencode({'labelSelector': 'control-plane=controller-manager'})}"
METRICS, USUAL_PORT = "metrics", 8080
"""The container port that serves ``/metrics``: its name in the manifests' Deployment, and which it
is where none is named so (controller-runtime's default)."""
MAX_TEXT = 16 << 20
"""Bytes that are read of a page."""

Pages = Callable[[], Mapping[str, str]]
"""The text of ``/metrics`` of each manager that can be asked now, by where it was had from."""


def living(listed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the answer to :data:`LIST`, the pods that are not being deleted."""
    return [
        pod for pod in listed.get("items") or [] if not pod["metadata"].get("deletionTimestamp")
    ]


def by_urls(urls: Iterable[str]) -> Pages:
    """From http URLs, for whoever can reach the managers themselves."""
    known = list(urls)

    def pages() -> dict[str, str]:
        texts = {url: fetch(url) for url in known}
        return {url: text for url, text in texts.items() if text is not None}

    return pages


def by_pods(connect: Callable[[], Api]) -> Pages:
    """Through the API server's proxy, which asks for the rights to list pods and get pods/proxy.

    ``connect`` is called for each look, as any task may look.
    """

    def pages() -> dict[str, str]:
        found: dict[str, str] = {}
        api = connect()
        try:
            for pod in living(api.get(LIST)):
                name, port = pod["metadata"]["name"], _port(pod)
                # One that does not run yet, or no more, is answered for by an error of its own.
                with contextlib.suppress(ApiError):
                    found[name] = api.text(f"{PODS}/{quote(name)}:{port}/proxy/metrics")
        except (ApiError, Unreachable):
            return found
        finally:
            api.close()
        return found

    return pages


def _port(pod: Mapping[str, Any]) -> int:
    for container in (pod.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == METRICS:
                return int(port["containerPort"])
    return USUAL_PORT


def fetch(url: str, timeout: float = 3.0) -> str | None:
    """The text at an http URL; None when it is not to be had (a manager may be dead by design)."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.read(MAX_TEXT).decode(errors="replace") if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
