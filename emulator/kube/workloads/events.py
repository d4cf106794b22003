"""Events of the cluster's own components, written straight into the store and counted."""

from __future__ import annotations

import logging
from collections import OrderedDict

from beskar7.api.errors import ApiError
from beskar7.api.kinds import EVENT, Kind
from beskar7.api.objects import Object
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.workloads.objects import meta

log = logging.getLogger(__name__)

_REMEMBERED = 1000  # events whose repetition is counted instead of written anew
_MESSAGE = 1024  # characters; the API's own bound


class Recorder:
    """Writes Events for one component, such as ``kubelet``; a refused one is only logged."""

    def __init__(self, store: Store, component: str, host: str = "") -> None:
        self._store = store
        self._component = component
        self._host = host
        self._known: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._call = Call(client=f"{component}/{host}" if host else component)

    def event(
        self, kind: Kind, obj: Object, type_: str, reason: str, message: str, field: str = ""
    ) -> None:
        """``type_`` is Normal or Warning; ``field`` the path of a part, such as a container."""
        message = message[:_MESSAGE]
        about = (meta(obj)["uid"], reason, message)
        try:
            if not self._again(about, obj):
                self._write(kind, obj, type_, reason, message, field)
        except ApiError as error:
            # The namespace is going, most likely.
            log.debug("event %s of %s: %s", reason, meta(obj)["name"], error.message)

    def _again(self, about: tuple[str, str, str], obj: Object) -> bool:
        name = self._known.get(about)
        if name is None:
            return False
        namespace = _namespace(obj)
        try:
            found = self._store.get(EVENT, namespace, name)
        except ApiError:
            return False
        self._known.move_to_end(about)
        patch = {
            "count": int(found.obj.get("count") or 1) + 1,
            "lastTimestamp": rfc3339(self._store.runtime.wall()),
        }
        self._store.patch(EVENT, namespace, name, patch, call=self._call)
        return True

    def _write(
        self, kind: Kind, obj: Object, type_: str, reason: str, message: str, field: str
    ) -> None:
        wall = self._store.runtime.wall()
        now, head = rfc3339(wall), meta(obj)
        involved = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": head["name"],
            "namespace": head.get("namespace", ""),
            "uid": head["uid"],
            "resourceVersion": head.get("resourceVersion", ""),
            "fieldPath": field,
        }
        source = {"component": self._component, "host": self._host}
        # The time in hexadecimal nanoseconds, as client-go names events; one is at least a
        # version after the last, so the version keeps equal times apart.
        serial = int(wall * 1_000_000_000) + self._store.resource_version % 1000
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{head['name'][:200]}.{serial:x}", "namespace": _namespace(obj)},
            "involvedObject": {name: text for name, text in involved.items() if text},
            "reason": reason,
            "message": message,
            "type": type_,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {name: text for name, text in source.items() if text},
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        made = self._store.create(EVENT, event, call=self._call)
        self._known[head["uid"], reason, message] = made.name
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _namespace(obj: Object) -> str:
    """Where an object's events live; those of a Node in ``default``."""
    namespace: str = meta(obj).get("namespace") or "default"
    return namespace
