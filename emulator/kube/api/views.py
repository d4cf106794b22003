"""Kinds that show the objects of another: the Events of ``events.k8s.io`` are those of the core.

Both names lead to one stored object, kept in the core form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beskar7.api.errors import BadRequest, UnsupportedMediaType
from beskar7.api.kinds import EVENT, Kind
from beskar7.api.objects import Object
from emulator.kube.kinds.structure import structure_of
from emulator.kube.patches.patch import apply_patch
from emulator.kube.store.history import Entry
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_BACK = {shown: stored for stored, shown in _RENAMED.items()}
EVENTS = Kind("events.k8s.io", "v1", "Event", "events")


@dataclass(frozen=True, slots=True)
class View:
    """How the objects of ``stored`` look as those of ``shown``."""

    stored: Kind
    shown: Kind

    def show(self, obj: Object) -> Object:
        """A stored object in the form of the view; shares its parts."""
        found = {_RENAMED.get(key, key): value for key, value in obj.items()}
        return {**found, "apiVersion": self.shown.api_version, "kind": self.shown.kind}

    def store(self, obj: Any) -> Any:
        """What was sent in the form of the view, to be stored. Raises ``BadRequest``."""
        if not isinstance(obj, dict):
            return obj  # refused by the store
        own = self.shown.api_version
        if obj.get("apiVersion") not in (None, own) or obj.get("kind") not in (
            None,
            self.shown.kind,
        ):
            raise BadRequest(f"the body must be an {self.shown.kind} of {own}")
        found = {_BACK.get(key, key): value for key, value in obj.items()}
        return {**found, "apiVersion": self.stored.api_version, "kind": self.stored.kind}

    def entry(self, entry: Entry) -> Entry:
        return Entry(self.show(entry.obj), entry.version)

    def patch(
        self, store: Store, namespace: str, name: str, patch: Any, form: str, call: Call
    ) -> Entry:
        """Patch the object in the form of the view. Raises an ``ApiError``."""
        old = store.get(self.stored, namespace, name)
        if form == "apply":
            raise UnsupportedMediaType(f"{self.shown.api_version} takes no server-side apply")
        resource = store.resource(self.shown)
        patched = apply_patch(self.show(old.obj), patch, form, structure_of(resource))
        return store.update(
            self.stored, self.store(patched), namespace=namespace, name=name, call=call
        )


VIEWS = {"event": View(EVENT, EVENTS)}
