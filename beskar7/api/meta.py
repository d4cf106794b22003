"""Object metadata: timestamps, references, finalizers; and the view that typed kinds share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from beskar7.api.objects import Object


def rfc3339(seconds: float) -> str:
    """UTC seconds since the epoch as ``metav1.Time``: whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """UTC seconds since the epoch as ``metav1.MicroTime``: whole microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """UTC seconds since the epoch. Raises ValueError for anything but RFC 3339."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Namespace and name: what a reconcile request carries."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class View:
    """A typed view of an object's JSON; changes go straight into ``raw``.

    Views keep fields that they do not know, so that an update never drops somebody else's field.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Object) -> None:
        self.raw = raw

    @property
    def metadata(self) -> Object:
        return self.raw.setdefault("metadata", {})  # type: ignore[no-any-return] # JSON is untyped

    @property
    def spec(self) -> Object:
        return self.raw.setdefault("spec", {})  # type: ignore[no-any-return] # JSON is untyped

    @property
    def status(self) -> Object:
        return self.raw.setdefault("status", {})  # type: ignore[no-any-return] # JSON is untyped

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.name)

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def labels(self) -> dict[str, str]:
        return self.metadata.get("labels") or {}

    @property
    def annotations(self) -> dict[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def created(self) -> float:
        """UTC seconds since the epoch, whole; 0 when the server has not set it."""
        text = self.metadata.get("creationTimestamp")
        return parse_rfc3339(text) if text else 0.0

    def annotate(self, **values: str) -> None:
        """Set annotations of the ``beskar7.io/`` prefix; underscores become dashes."""
        annotations = self.metadata.setdefault("annotations", {})
        for name, value in values.items():
            annotations[f"beskar7.io/{name.replace('_', '-')}"] = value

    def has_finalizer(self, finalizer: str) -> bool:
        return finalizer in (self.metadata.get("finalizers") or [])

    def add_finalizer(self, finalizer: str) -> bool:
        """True when it was missing."""
        if self.has_finalizer(finalizer):
            return False
        self.metadata.setdefault("finalizers", []).append(finalizer)
        return True

    def remove_finalizer(self, finalizer: str) -> bool:
        """True when it was there."""
        if not self.has_finalizer(finalizer):
            return False
        self.metadata["finalizers"].remove(finalizer)
        return True
