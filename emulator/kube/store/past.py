"""A list as it was: what a lagging replica of the API server would still answer."""

from __future__ import annotations

from beskar7.api.kinds import Kind
from emulator.kube.store.history import Entry
from emulator.kube.store.selectors import Predicate
from emulator.kube.store.store import Store


def list_at_age(
    store: Store, kind: Kind, namespace: str | None, predicate: Predicate | None, age: float
) -> tuple[list[Entry], int]:
    """The list of ``age`` seconds ago and its resourceVersion.

    The state is one that the kind really was in, so a watch from the version misses nothing.
    It goes back no further than the history does.
    """
    entries = store.list(kind)
    if age <= 0.0:
        return _chosen(entries, namespace, predicate), store.resource_version
    state = {(entry.namespace, entry.name): entry for entry in entries}
    version = store.resource_version
    cutoff = store.runtime.now() - age
    for change in store.history.newest_first(kind):
        if change.time <= cutoff:
            break
        key = (change.entry.namespace, change.entry.name)
        if change.previous is None:
            state.pop(key, None)
        else:
            state[key] = change.previous
        version = change.version - 1
    return _chosen([state[key] for key in sorted(state)], namespace, predicate), version


def _chosen(
    entries: list[Entry], namespace: str | None, predicate: Predicate | None
) -> list[Entry]:
    return [
        entry
        for entry in entries
        if (not namespace or entry.namespace == namespace)
        and (predicate is None or predicate(entry.obj))
    ]
