"""The pure in-memory store: an API server's verbs and rules, without HTTP and without asyncio."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from beskar7.api.errors import ApiError, BadRequest
from beskar7.api.kinds import NAMESPACE, Kind
from beskar7.api.objects import Object
from beskar7.runtime import Runtime
from emulator.kube import failures, pipeline
from emulator.kube.database import Database
from emulator.kube.history import HISTORY, SLOW_WATCHER, Entry
from emulator.kube.metadata import rfc3339
from emulator.kube.patch import apply_patch
from emulator.kube.pipeline import Call
from emulator.kube.registry import Resource
from emulator.kube.writelog import CAPACITY

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # generateName's alphabet: no vowels, no look-alikes
_SYSTEM_META = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "name",
    "namespace",
    "uid",
)


class Admit(Protocol):
    """May refuse a write by raising ``Invalid`` or ``Forbidden``; ``verb`` as in the write log."""

    def __call__(self, kind: Kind, verb: str, new: Object | None, old: Object | None) -> None: ...


class Store(Database):
    """Every method raises an :class:`ApiError` when it refuses.

    What is passed in becomes the store's, and what comes out is shared: hand over a copy, and
    take one (:meth:`Entry.copy`) before changing anything. The store takes no lock by itself: it
    belongs to one event loop, or to callers that hold :attr:`lock`. ``history`` is how many
    changes of each kind a watch can go back, ``log_capacity`` how many attempts to write are
    kept, ``slow_watcher`` how many events a watcher may leave undelivered.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        history: int = HISTORY,
        log_capacity: int = CAPACITY,
        slow_watcher: int = SLOW_WATCHER,
    ) -> None:
        super().__init__(
            runtime, history=history, log_capacity=log_capacity, slow_watcher=slow_watcher
        )
        self.lock = runtime.lock()
        self.admit: list[Admit] = []
        self._uids = runtime.rng("kube-uid")
        self._names = runtime.rng("kube-name")

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
            at, called, version = _address(resource, sent, namespace, name)
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
        """``form`` is merge, json or strategic. A resourceVersion in the patch is a condition."""
        call = call or Call()
        verb = "patch_status" if status else "patch"

        def run() -> Entry:
            resource = self.resource(kind, status=status)
            old = self._find(kind, namespace, name)
            if old is None:
                raise failures.not_found(kind, name)
            patched = apply_patch(old.obj, patch, form, custom=resource.custom)
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
        call: Call | None = None,
    ) -> tuple[Entry, bool]:
        """The object's last state, and whether it is gone; finalizers only mark it as going."""
        call = call or Call()
        gone = True

        def run() -> Entry:
            nonlocal gone
            entry, gone = self._delete(kind, namespace, name, uid, resource_version, call)
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
                    previous=found.raw if found else None,
                )
            raise
        self._drain()
        return entry

    def _create(self, kind: Kind, sent: Any, namespace: str | None, call: Call) -> Entry:
        resource = self.resource(kind)
        obj = pipeline.decode(resource, sent, call)
        meta: Object = obj["metadata"]
        if "resourceVersion" in meta:
            raise BadRequest("resourceVersion should not be set on objects to be created")
        namespace = _namespace(resource, meta, namespace)
        if not meta.get("name") and meta.get("generateName"):
            tail = "".join(self._names.choice(_SUFFIX) for _ in range(5))
            meta["name"] = meta["generateName"][:58] + tail
        now = rfc3339(self.runtime.wall())
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
            meta.pop(key, None)
        if resource.status:
            obj.pop("status", None)
        if resource.generation:
            meta["generation"] = 1
        pipeline.validate(resource, obj, None)
        if namespace:
            self._check_namespace(kind, namespace, meta["name"])
        if self._find(kind, namespace, meta["name"]) is not None:
            raise failures.already_exists(kind, meta["name"])
        pipeline.on_create(resource, obj, now)
        meta["uid"] = str(uuid.UUID(int=self._uids.getrandbits(128), version=4))
        meta["creationTimestamp"] = now
        self._admit(kind, "create", obj, None)
        return self._commit("create", kind, obj, None, call)

    def _replace(
        self, resource: Resource, old: Entry, sent: Object, verb: str, status: bool, call: Call
    ) -> Entry:
        kind, was = resource.kind, old.obj
        obj = pipeline.decode(resource, sent, call)
        meta = obj["metadata"]
        _check_preconditions(kind, old, meta.get("uid"), meta.get("resourceVersion"))
        for key in ("name", "namespace"):
            if meta.get(key, was["metadata"].get(key)) != was["metadata"].get(key):
                raise BadRequest(
                    f"the {key} of the object ({meta[key]}) does not match the {key} on the URL "
                    f"({was['metadata'].get(key)})"
                )
        if status:
            sent_status = {"status": obj["status"]} if "status" in obj else {}
            rest = {key: value for key, value in was.items() if key != "status"}
            meta = dict(was["metadata"])
            obj = {**rest, "metadata": meta, **sent_status}
        else:
            if resource.status:
                obj.pop("status", None)
                obj |= {"status": was["status"]} if "status" in was else {}
            if kind == NAMESPACE:
                obj["spec"] = was["spec"]
            for key in _SYSTEM_META:
                meta.pop(key, None)
                if key in was["metadata"]:
                    meta[key] = was["metadata"][key]
        meta["resourceVersion"] = was["metadata"]["resourceVersion"]
        if pipeline.same(obj, was):
            self._record(verb, kind, old, old, call)
            return old
        pipeline.validate(resource, obj, was)
        self._admit(kind, verb, obj, was)
        if resource.generation and not status and pipeline.desired_changed(resource, obj, was):
            meta["generation"] = was["metadata"].get("generation", 0) + 1
        drained = "deletionTimestamp" in meta and not meta.get("finalizers")
        return self._commit(verb, kind, obj, old, call, gone=drained and kind != NAMESPACE)

    def _delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        uid: str | None,
        resource_version: str | None,
        call: Call,
    ) -> tuple[Entry, bool]:
        self.resource(kind)
        old = self._find(kind, namespace, name)
        if old is None:
            raise failures.not_found(kind, name)
        _check_preconditions(kind, old, uid, resource_version)
        self._admit(kind, "delete", None, old.obj)
        meta = old.obj["metadata"]
        if not meta.get("finalizers") and kind != NAMESPACE:
            return self._commit("delete", kind, old.obj, old, call, gone=True), True
        if "deletionTimestamp" in meta:
            self._record("delete", kind, old, old, call)
            return old, False
        marked = {
            **meta,
            "deletionTimestamp": rfc3339(self.runtime.wall()),
            "deletionGracePeriodSeconds": 0,
        }
        if "generation" in meta:
            marked["generation"] = meta["generation"] + 1
        obj = {**old.obj, "metadata": marked}
        if kind == NAMESPACE:
            obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
        return self._commit("delete", kind, obj, old, call), False

    def _admit(self, kind: Kind, verb: str, new: Object | None, old: Object | None) -> None:
        for admit in self.admit:
            admit(kind, verb, new, old)

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        found = self._find(NAMESPACE, None, namespace)
        if found is None:
            raise failures.not_found(NAMESPACE, namespace)
        if "deletionTimestamp" in found.obj["metadata"]:
            why = "because it is being terminated"
            raise failures.forbidden(
                kind, name, f"unable to create new content in namespace {namespace} {why}"
            )


def parse_version(text: str) -> int:
    """A resourceVersion to list or watch from; "" is 0. Raises :class:`BadRequest`."""
    if text and not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise BadRequest(f'resourceVersion: Invalid value: "{text[:40]}": not a number')
    return int(text or 0)


def _address(
    resource: Resource, sent: Any, namespace: str | None, name: str | None
) -> tuple[str, str, str]:
    """Namespace, name and resourceVersion of what is to be replaced."""
    meta = sent.get("metadata") if isinstance(sent, dict) else None
    if not isinstance(meta, dict):
        raise BadRequest("the body must be an object with metadata")
    version = meta.get("resourceVersion") or ""
    called = name or meta.get("name")
    at = namespace or meta.get("namespace") or ""
    if not (isinstance(version, str) and isinstance(called, str) and isinstance(at, str)):
        raise BadRequest("metadata: name, namespace and resourceVersion must be strings")
    parse_version(version)
    return at, called, version


def _namespace(resource: Resource, meta: Object, namespace: str | None) -> str:
    """The namespace of an object to be created, also written into its metadata."""
    if not resource.kind.namespaced:
        meta.pop("namespace", None)
        return ""
    own = meta.get("namespace", "")
    if namespace and own and namespace != own:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the "
            f"request: {own} and {namespace}"
        )
    if not (namespace or own):
        raise BadRequest("an empty namespace may not be set during creation")
    chosen: str = namespace or own
    meta["namespace"] = chosen
    return chosen


def _check_preconditions(kind: Kind, old: Entry, uid: str | None, version: str | None) -> None:
    if uid and uid != old.uid:
        why = f"UID in precondition: {uid}, UID in object meta: {old.uid}"
        raise failures.conflict(kind, old.name, f"Precondition failed: {why}")
    if version and version != str(old.version):
        raise failures.conflict(kind, old.name)
