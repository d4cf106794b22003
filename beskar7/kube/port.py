"""The Kubernetes port: what the controller may ask of an API server.

Two forms implement it: :class:`beskar7.kube.client.KubeClient` (the official client over HTTP)
and the emulator's in-process form for virtual time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Protocol

from beskar7.api.kinds import Kind
from beskar7.api.objects import Object, ObjectList, WatchEvent

__all__ = ["Kube", "Object", "ObjectList", "PatchType", "WatchEvent"]

PatchType = Literal["merge", "json"]


class Kube(Protocol):
    """Every method raises :class:`beskar7.api.errors.ApiError` when the server says no or fails."""

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object: ...

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList: ...

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Iterator[WatchEvent]:
        """Events after ``resource_version`` until ``timeout`` seconds are over or the server ends.

        Raises :class:`beskar7.api.errors.Expired` when that version was compacted.
        Closing the generator ends the watch.
        """
        ...

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        """``dry_run``: the server says what it would create, or why not, and creates nothing."""
        ...

    def update(self, kind: Kind, obj: Object) -> Object:
        """Replace all but ``status``. Raises ``Conflict`` on any but the newest version."""
        ...

    def update_status(self, kind: Kind, obj: Object) -> Object: ...

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        type: PatchType = "merge",
        subresource: str | None = None,
    ) -> Object: ...

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None: ...
