"""Beskar7's admission in the lab's API: the same rules as its webhooks, without the way there.

The kinds of webhook configurations are stored as well, but the lab calls none of them.
"""

from __future__ import annotations

from beskar7.api import admission
from beskar7.api.admission import Context, Operation, Rules
from beskar7.api.errors import ApiError
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object, ObjectList
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store


def install(store: Store) -> Store:
    """Let the store's writes of Beskar7's kinds pass their rules; the store."""
    reader = _StoreReader(store)
    for rules in admission.RULES:
        store.webhooks[rules.kind] = _InProcess(rules, store, reader)
    return store


def denied(webhook: str, error: ApiError) -> ApiError:
    """The webhook's refusal as the API server passes it on: code, reason and causes stay."""
    said = f'admission webhook "{webhook}" denied the request: {error.message}'
    return type(error)(said, details=error.details, code=error.code)


class _InProcess:
    """The webhooks of one kind."""

    def __init__(self, rules: Rules, store: Store, reader: _StoreReader) -> None:
        self._rules = rules
        self._store = store
        self._reader = reader

    def mutate(self, obj: Object) -> Object:
        return self._rules.default(obj)

    def validate(self, new: Object | None, old: Object | None, call: Call) -> None:
        operation: Operation = "DELETE" if new is None else "UPDATE" if old else "CREATE"
        context = Context(self._reader, self._store.runtime.wall(), call.dry_run)
        found = admission.validate(operation, new, old, context)
        call.warnings += found.warnings
        error = admission.refusal(operation, self._rules.kind, new or old or {}, found)
        if error is not None:
            refused = denied(self._rules.validate_name, error)
            refused.warnings = list(call.warnings)
            raise refused


class _StoreReader:
    """The store as rules read it; what it gives is shared, and rules change nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        return self._store.get(kind, namespace, name).obj

    def list(self, kind: Kind, namespace: str | None = None) -> ObjectList:
        entries = self._store.list(kind, namespace)
        return ObjectList([entry.obj for entry in entries], str(self._store.resource_version))
