"""Who shares a lab with whom: one for each test, class, module or session, as its mark says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from beskar7_harness.lab import Lab
from beskar7_harness.settings import LabSettings

_NODES: dict[str, type[pytest.Collector]] = {
    "class": pytest.Class,
    "module": pytest.Module,
    "session": pytest.Session,
}


class Pool:
    """The shared labs of one process: under pytest-xdist each worker has its own."""

    def __init__(self) -> None:
        self._shared: dict[tuple[str, str], Lab] = {}

    @contextlib.contextmanager
    def lab_of(self, item: pytest.Item, chosen: LabSettings) -> Iterator[Lab]:
        """The lab for one test; a ``with`` that ends by an error ends a shared one, too.

        Raises:
            LabError: it does not come up.
        """
        node = item.getparent(_NODES[chosen.scope]) if chosen.scope in _NODES else None
        if node is None:
            lab = Lab(chosen)
            try:
                yield lab
            finally:
                lab.close()
            return
        key = (node.nodeid, chosen.key)
        lab = self._shared.get(key) or self._share(key, node, chosen)
        try:
            yield lab
        except BaseException:
            self._end(key)
            raise

    def shares(self, lab: Lab) -> bool:
        """Whether a later test may have the same lab."""
        return lab in self._shared.values()

    def _share(self, key: tuple[str, str], node: pytest.Collector, chosen: LabSettings) -> Lab:
        lab = self._shared[key] = Lab(chosen)
        node.addfinalizer(lambda: self._end(key))
        return lab

    def _end(self, key: tuple[str, str]) -> None:
        lab = self._shared.pop(key, None)
        if lab is not None:
            lab.close()
