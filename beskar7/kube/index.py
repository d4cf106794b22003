"""A secondary index over the objects of a cache."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from beskar7.kube.port import Object

log = logging.getLogger(__name__)

IndexFunction = Callable[[Object], Iterable[str]]


class Index:
    """Not thread-safe: its cache holds the lock. Results come in the order of insertion."""

    def __init__(self, function: IndexFunction) -> None:
        self._function = function
        # Dicts in place of sets: the order of a set of strings differs between processes, and a
        # run in virtual time must not.
        self._found: dict[str, dict[tuple[str, str], None]] = {}
        self._keys: dict[tuple[str, str], tuple[str, ...]] = {}

    def put(self, key: tuple[str, str], obj: Object) -> None:
        try:
            new = tuple(dict.fromkeys(self._function(obj)))
        except Exception:
            log.exception("an index function failed on %s/%s", *key)
            new = ()
        if new == self._keys.get(key):
            return
        self.remove(key)
        self._keys[key] = new
        for index_key in new:
            self._found.setdefault(index_key, {})[key] = None

    def remove(self, key: tuple[str, str]) -> None:
        for index_key in self._keys.pop(key, ()):
            found = self._found[index_key]
            del found[key]
            if not found:
                del self._found[index_key]

    def keys(self, index_key: str) -> Iterable[tuple[str, str]]:
        return self._found.get(index_key, ())
