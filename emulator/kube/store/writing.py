"""How a write becomes a commit: decode, validate, admit, own, commit; and what a delete does."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from beskar7.api.errors import BadRequest
from beskar7.api.kinds import NAMESPACE, Kind
from beskar7.api.objects import Object
from beskar7.runtime import Runtime
from emulator.kube.kinds import kindrules
from emulator.kube.kinds.registry import Resource
from emulator.kube.kinds.structure import structure_of
from emulator.kube.patches import managedfields
from emulator.kube.patches.apply import apply
from emulator.kube.patches.managedfields import APPLY, UPDATE, Entries, Writer
from emulator.kube.store import failures, pipeline
from emulator.kube.store.addressing import check_identity, check_preconditions, choose_namespace
from emulator.kube.store.database import Database
from emulator.kube.store.deletion import DeleteOptions, drained, marked
from emulator.kube.store.history import HISTORY, SLOW_WATCHER, Entry
from emulator.kube.store.metadata import rfc3339
from emulator.kube.store.pipeline import Call
from emulator.kube.store.writelog import CAPACITY

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


class Webhooks(Protocol):
    """What an API server asks of others about a kind's objects; not about their status."""

    def mutate(self, obj: Object) -> Object:
        """The object with defaults, sharing the rest; itself when there is nothing to add."""
        ...

    def validate(self, new: Object | None, old: Object | None, call: Call) -> None:
        """May refuse by raising an ``ApiError``; adds to ``call.warnings``."""
        ...


class Writing(Database):
    """The steps of :class:`emulator.kube.store.store.Store`'s verbs, each of which may refuse."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        history: int = HISTORY,
        log_capacity: int = CAPACITY,
        slow_watcher: int = SLOW_WATCHER,
        field_owners: bool = True,
    ) -> None:
        super().__init__(
            runtime, history=history, log_capacity=log_capacity, slow_watcher=slow_watcher
        )
        self.lock = runtime.lock()
        self.admit: list[Admit] = []
        self.webhooks: dict[Kind, Webhooks] = {}
        self.field_owners = field_owners
        self._uids = runtime.rng("kube-uid")
        self._names = runtime.rng("kube-name")

    def load(self, found: Iterable[tuple[Kind, Entry]], version: int) -> None:
        super().load(found, version)
        # A seed gives one stream: without this, a second process would hand out the same uids.
        self._uids = self.runtime.rng(f"kube-uid/{self.resource_version}")
        self._names = self.runtime.rng(f"kube-name/{self.resource_version}")

    def _apply(
        self,
        resource: Resource,
        old: Entry | None,
        namespace: str | None,
        name: str,
        sent: object,
        status: bool,
        call: Call,
    ) -> Entry:
        kind = resource.kind
        config = pipeline.clean_config(resource, sent, call, namespace, name)
        if old is not None:
            meta = config["metadata"]
            check_preconditions(kind, old, meta.get("uid"), meta.get("resourceVersion"))
        elif status or config["metadata"].get("uid"):
            raise failures.not_found(kind, name)
        obj, managed = apply(
            old.obj if old else None,
            config,
            structure_of(resource),
            self._writer(resource, APPLY, status, call),
            force=call.force,
            status=resource.status,
        )
        if old is None:
            return self._create(kind, config, namespace, call, managed)
        verb = "patch_status" if status else "patch"
        return self._replace(resource, old, obj, verb, status, call, managed)

    def _create(
        self,
        kind: Kind,
        sent: Any,
        namespace: str | None,
        call: Call,
        managed: Entries | None = None,
    ) -> Entry:
        resource = self.resource(kind)
        obj = pipeline.decode(resource, sent, call)
        meta: Object = obj["metadata"]
        if "resourceVersion" in meta:
            raise BadRequest("resourceVersion should not be set on objects to be created")
        namespace = choose_namespace(resource, meta, namespace)
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
        earlier = managedfields.starting_with(meta.pop("managedFields", None), [])
        # What a webhook adds is nobody's field: the writer owns only what it sent.
        asked, obj = obj, self._mutated(resource, obj)
        pipeline.validate(resource, obj, None)
        if namespace:
            self._check_namespace(kind, namespace, meta["name"])
        self._ask_webhooks(kind, obj, None, call)
        if self._find(kind, namespace, meta["name"]) is not None:
            raise failures.already_exists(kind, meta["name"])
        if managed is None:
            managed = self._owners(resource, earlier, {}, asked, False, call)
        pipeline.on_create(resource, obj, now)
        meta["uid"] = str(uuid.UUID(int=self._uids.getrandbits(128), version=4))
        meta["creationTimestamp"] = now
        if managed:
            meta["managedFields"] = managed
        self._admit(kind, "create", obj, None)
        return self._commit("create", kind, obj, None, call)

    def _replace(
        self,
        resource: Resource,
        old: Entry,
        sent: Object,
        verb: str,
        status: bool,
        call: Call,
        managed: Entries | None = None,
    ) -> Entry:
        """``managed`` is given by an apply, which has worked it out."""
        kind, was = resource.kind, old.obj
        obj = pipeline.decode(resource, sent, call)
        meta = obj["metadata"]
        check_preconditions(kind, old, meta.get("uid"), meta.get("resourceVersion"))
        check_identity(meta, was["metadata"])
        live: Entries = was["metadata"].get("managedFields") or []
        asked = meta.pop("managedFields", None)
        start = live if status else managedfields.starting_with(asked, live)
        if status:
            sent_status = {"status": obj["status"]} if "status" in obj else {}
            rest = {key: value for key, value in was.items() if key != "status"}
            meta = dict(was["metadata"])
            meta.pop("managedFields", None)
            obj = {**rest, "metadata": meta, **sent_status}
        else:
            if resource.status:
                obj.pop("status", None)
                obj |= {"status": was["status"]} if "status" in was else {}
            if kind == NAMESPACE:
                obj["spec"] = was["spec"]
            elif not resource.custom:
                kindrules.keep(resource, obj, was)
            for key in _SYSTEM_META:
                meta.pop(key, None)
                if key in was["metadata"]:
                    meta[key] = was["metadata"][key]
        meta["resourceVersion"] = was["metadata"]["resourceVersion"]
        asked, obj = obj, obj if status else self._mutated(resource, obj)
        after = start if managed is None else managed
        if after is live or after == live:
            if live:
                meta["managedFields"] = live
            if pipeline.same(obj, was):
                self._record(verb, kind, old, old, call)
                return old
        pipeline.validate(resource, obj, was)
        if not status:
            self._ask_webhooks(kind, obj, was, call)
        self._admit(kind, verb, obj, was)
        if resource.generation and not status and pipeline.desired_changed(resource, obj, was):
            meta["generation"] = was["metadata"].get("generation", 0) + 1
        if managed is None:
            managed = self._owners(resource, start, was, asked, status, call)
        meta["managedFields"] = managed
        if not managed:
            del meta["managedFields"]
        gone = drained(meta) and kind != NAMESPACE
        return self._commit(verb, kind, obj, old, call, gone=gone)

    def _owners(
        self, resource: Resource, start: Entries, was: Object, obj: Object, status: bool, call: Call
    ) -> Entries:
        if not start and not self.field_owners:
            return start
        writer = self._writer(resource, UPDATE, status, call)
        return managedfields.updated(start, was, obj, structure_of(resource), writer)

    def _writer(self, resource: Resource, operation: str, status: bool, call: Call) -> Writer:
        return Writer(
            managedfields.manager_name(call.field_manager, call.client),
            operation,
            resource.kind.api_version,
            rfc3339(self.runtime.wall()),
            "status" if status else "",
        )

    def _delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        options: DeleteOptions,
        call: Call,
    ) -> tuple[Entry, bool]:
        self.resource(kind)
        old = self._find(kind, namespace, name)
        if old is None:
            raise failures.not_found(kind, name)
        check_preconditions(kind, old, options.uid, options.resource_version)
        self._ask_webhooks(kind, None, old.obj, call)
        self._admit(kind, "delete", None, old.obj)
        waiting = marked(kind, old.obj, options, self.runtime.wall())
        if waiting is None:
            return self._commit("delete", kind, old.obj, old, call, gone=True), True
        if waiting == old.obj:
            self._record("delete", kind, old, old, call)
            return old, False
        return self._commit("delete", kind, waiting, old, call), False

    def _mutated(self, resource: Resource, obj: Object) -> Object:
        webhooks = self.webhooks.get(resource.kind)
        mutated = obj if webhooks is None else webhooks.mutate(obj)
        return obj if mutated is obj else resource.schema.default(mutated)

    def _ask_webhooks(self, kind: Kind, new: Object | None, old: Object | None, call: Call) -> None:
        webhooks = self.webhooks.get(kind)
        if webhooks is not None and not call.internal:
            webhooks.validate(new, old, call)

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
