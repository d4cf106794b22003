"""The pure in-memory store: an API server's verbs and rules, without HTTP and without asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from beskar7.api.errors import ApiError
from beskar7.api.kinds import NAMESPACE, Kind
from emulator.kube.kinds.structure import structure_of
from emulator.kube.patches.patch import apply_patch
from emulator.kube.store import failures
from emulator.kube.store.addressing import address, parse_version
from emulator.kube.store.deletion import DeleteOptions
from emulator.kube.store.history import Entry
from emulator.kube.store.pipeline import Call
from emulator.kube.store.writing import Admit, Writing

__all__ = ["Admit", "Store", "parse_version"]


class Store(Writing):
    """Every method raises an :class:`ApiError` when it refuses.

    What is passed in becomes the store's, and what comes out is shared: hand over a copy, and
    take one (:meth:`Entry.copy`) before changing anything. The store takes no lock by itself: it
    belongs to one event loop, or to callers that hold :attr:`lock`. ``history`` is how many
    changes of each kind a watch can go back, ``log_capacity`` how many attempts to write are
    kept, ``slow_watcher`` how many events a watcher may leave undelivered. Without
    ``field_owners`` an object has managedFields only from its first server-side apply on, as in
    Kubernetes 1.16 and 1.17: half the bytes of an object, where nobody asks who owns its fields.
    """

    def create(
        self, kind: Kind, sent: Any, *, namespace: str | None = None, call: Call | None = None
    ) -> Entry:
        """``namespace`` is the request's; without it the object's own counts."""
        call = call or Call()

        def run() -> Entry:
            return self._create(kind, sent, namespace, call)

        return self._attempt("create", kind, namespace, "", sent, call, run)

    def update(
        self,
        kind: Kind,
        sent: Any,
        *,
        namespace: str | None = None,
        name: str | None = None,
        status: bool = False,
        call: Call | None = None,
    ) -> Entry:
        """Replace all but the status, or with ``status`` the status alone."""
        call = call or Call()
        verb = "update_status" if status else "update"

        def run() -> Entry:
            resource = self.resource(kind, status=status)
            at, called, version = address(resource, sent, namespace, name)
            old = self._find(kind, at, called)
            if old is None:
                if resource.create_on_update and not version and not status:
                    return self._create(kind, sent, at, call)
                raise failures.not_found(kind, called)
            if not version and not resource.unconditional_update:
                hint = "must be specified for an update"
                cause = failures.invalid_value("metadata.resourceVersion", "0x0", hint)
                raise failures.invalid(kind, called, [cause])
            return self._replace(resource, old, sent, verb, status, call)

        return self._attempt(verb, kind, namespace, name or "", sent, call, run)

    def update_status(self, kind: Kind, sent: Any, *, call: Call | None = None) -> Entry:
        return self.update(kind, sent, status=True, call=call)

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        form: str = "merge",
        *,
        status: bool = False,
        call: Call | None = None,
    ) -> Entry:
        """``form`` is merge, json, strategic or apply; apply creates what is absent.

        A resourceVersion in the patch is a condition.
        """
        call = call or Call()
        verb = "patch_status" if status else "patch"

        def run() -> Entry:
            resource = self.resource(kind, status=status)
            old = self._find(kind, namespace, name)
            if form == "apply":
                return self._apply(resource, old, namespace, name, patch, status, call)
            if old is None:
                raise failures.not_found(kind, name)
            structure = None if resource.custom else structure_of(resource)
            patched = apply_patch(old.obj, patch, form, structure)
            return self._replace(resource, old, patched, verb, status, call)

        sent = patch if isinstance(patch, dict) else {"jsonPatch": patch}
        return self._attempt(verb, kind, namespace, name, sent, call, run)

    def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "",
        grace: int | None = None,
        call: Call | None = None,
    ) -> tuple[Entry, bool]:
        """The object's last state, and whether it is gone; finalizers only mark it as going.

        ``propagation`` and ``grace`` are those of :class:`DeleteOptions`.
        """
        call = call or Call()
        gone = True

        def run() -> Entry:
            nonlocal gone
            options = DeleteOptions(uid, resource_version, propagation, grace)
            entry, gone = self._delete(kind, namespace, name, options, call)
            return entry

        return self._attempt("delete", kind, namespace, name, None, call, run), gone

    def remove_namespace(self, name: str, call: Call) -> None:
        """Take an emptied, terminating namespace away, as its controller does in the end."""
        old = self.get(NAMESPACE, None, name)
        self._commit("delete", NAMESPACE, old.obj, old, call, gone=True)
        self._drain()

    def _attempt(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        sent: Any,
        call: Call,
        run: Callable[[], Entry],
    ) -> Entry:
        """Run the write; a refused one leaves its record too."""
        try:
            entry = run()
        except ApiError as error:
            meta = sent.get("metadata") if isinstance(sent, dict) else None
            meta = meta if isinstance(meta, dict) else {}
            at = (namespace or str(meta.get("namespace") or "")) if kind.namespaced else ""
            name = name or str(meta.get("name") or meta.get("generateName") or "")
            found = self._find(kind, at, name)
            if not call.dry_run:
                self.log.append(
                    time=self.runtime.now(),
                    client=call.client,
                    verb=verb,
                    outcome=error.reason,
                    kind=kind,
                    namespace=at,
                    name=name,
                    uid=found.uid if found else "",
                    object=None if sent is None else orjson.dumps(sent),
                    previous=found,
                )
            raise
        self._drain()
        return entry
