"""One HTTP request to a port of a pod through the API server's ``port-forward``.

Unlike the proxy to pods it arrives at the pod's own loopback, where pages are served that are for
the pod's machine alone.
"""

from __future__ import annotations

import http.client
import re
from contextlib import closing
from typing import Any

from kubernetes.client import ApiClient, ApiException, Configuration, CoreV1Api
from kubernetes.stream import portforward

from beskar7.api.errors import ServiceUnavailable, from_status

_REFUSED = re.compile(r"Handshake status (\d{3}) ")


def get_forwarded(
    configuration: Configuration,
    pod: tuple[str, str],
    port: int,
    path: str,
    *,
    timeout: float,
    limit: int,
) -> bytes:
    """The body of a GET; ``pod`` is (namespace, name). Only ``timeout`` seconds between its bytes,
    and ``limit`` bytes in all are awaited.

    Raises an ApiError: what the server said of the forwarding or the pod's port of the path, and
    ServiceUnavailable for what fails on the way.
    """
    where = f"port {port} of pod {pod[0]}/{pod[1]}"
    # One of its own: the library exchanges a method of the client while it connects.
    with closing(ApiClient(configuration)) as api:
        method: Any = CoreV1Api(api).connect_get_namespaced_pod_portforward
        try:
            forward: Any = portforward(method, pod[1], pod[0], ports=str(port))
        except ApiException as error:
            raise _refused(where, str(error.reason)) from None
    sock = forward.socket(port)
    connection = http.client.HTTPConnection(pod[1])
    try:
        sock.settimeout(timeout)
        connection.sock = sock
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(limit + 1)
    except (OSError, http.client.HTTPException) as error:
        told = forward.error(port) or str(error) or type(error).__name__
        raise ServiceUnavailable(f"{where}: {' '.join(str(told).split())}") from None
    finally:
        connection.close()
        forward.close()
    if len(body) > limit:
        raise ServiceUnavailable(f"{where}: {path} has more than {limit} bytes")
    if answer.status != 200:
        text = " ".join(body[:200].decode(errors="replace").split())
        raise from_status(answer.status, {"message": f"{where}: {path}: {text}"})
    return body


def _refused(where: str, reason: str) -> Exception:
    found = _REFUSED.search(reason)
    said = " ".join(reason.split())[:300]
    if found is None:
        return ServiceUnavailable(f"{where}: {said}")
    return from_status(int(found[1]), {"message": f"{where}: {said}"})
