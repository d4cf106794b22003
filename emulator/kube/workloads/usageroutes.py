"""metrics.k8s.io: what pods and the node use, as metrics-server answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from beskar7.api.errors import NotFound
from beskar7.api.objects import Object
from emulator.kube.api.http import Target, json_response
from emulator.kube.store.failures import not_found
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.selectors import compile_selectors
from emulator.kube.workloads import usage
from emulator.kube.workloads.objects import NODE, POD, meta, status

if TYPE_CHECKING:
    from emulator.kube.workloads.service import Workloads


def pods(workloads: Workloads, asked: Target, namespace: str, name: str) -> web.Response:
    at = rfc3339(workloads.store.runtime.wall())
    if name:
        pod = workloads.store.get(POD, namespace, name).obj
        found = _pod(workloads, pod, at)
        if found is None:
            raise NotFound(f'podmetrics.metrics.k8s.io "{namespace}/{name}" not found')
        return json_response(orjson.dumps(found))
    predicate = compile_selectors(
        asked.query.get("labelSelector"),
        asked.query.get("fieldSelector"),
        frozenset(),
    )
    entries = workloads.store.list(POD, namespace, predicate)
    items = [each for entry in entries if (each := _pod(workloads, entry.obj, at)) is not None]
    return _listed("PodMetricsList", items)


def _listed(kind: str, items: list[Object]) -> web.Response:
    body = {"kind": kind, "apiVersion": usage.API_VERSION, "metadata": {}, "items": items}
    return json_response(orjson.dumps(body))


def _pod(workloads: Workloads, pod: Object, at: str) -> Object | None:
    """None for a pod of which nothing is known: metrics-server leaves these out."""
    if status(pod).get("phase") != "Running":
        return None
    used = workloads.pod_usage(meta(pod)["uid"])
    return usage.pod_metrics(pod, used, at) if used else None


def nodes(workloads: Workloads, asked: Target, name: str) -> web.Response:
    at = rfc3339(workloads.store.runtime.wall())
    used = workloads.node_usage()
    if name:
        node = workloads.store.get(NODE, None, name).obj
        if used is None:
            raise not_found(NODE, name)
        return json_response(orjson.dumps(usage.node_metrics(node, used, at)))
    predicate = compile_selectors(asked.query.get("labelSelector"), None, frozenset())
    entries = workloads.store.list(NODE, None, predicate) if used is not None else []
    items = [usage.node_metrics(entry.obj, used or {}, at) for entry in entries]
    return _listed("NodeMetricsList", items)
