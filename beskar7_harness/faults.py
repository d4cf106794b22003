"""Faults that a test sets on a lab's BMCs, its API, or the network between."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beskar7.api.documents import parse
from beskar7.api.problems import DocumentError, Problem, Problems, Where
from beskar7_harness.handles import Host
from scenarios.engine.fault_fields import read_fault
from scenarios.engine.schema import AddFault, ClearFault

if TYPE_CHECKING:
    from beskar7_harness.chronicle import Chronicle
    from beskar7_harness.clocks import Driver


class Faults:
    """The vocabulary is that of ``docs/faults.md`` and of a scenario's ``faults``."""

    def __init__(self, driver: Driver, chronicle: Chronicle) -> None:
        self._driver = driver
        self._chronicle = chronicle
        self._added = 0
        self._set: dict[str, None] = {}

    def add(self, kind: str, **fields: Any) -> str:
        """Put a fault in force, from now on unless it has a ``start``; its id.

        Fields as in a scenario: ``add("hang", select={"hosts": ["host-001"]}, duration="30s")``.
        ``select`` also takes one name as ``hosts="host-001"``, and hosts of the lab themselves.

        Raises:
            DocumentError: the fault cannot be; every field that is wrong, and what is right.
        """
        __tracebackhide__ = True
        self._added += 1
        given = {"kind": kind, "id": f"fault-{self._added}", **fields}
        select = dict(given.get("select") or {})
        for name in ("hosts", "racks", "vendors", "firmware"):
            value = given.pop(name, select.get(name))
            if value is not None:
                several = value if isinstance(value, list | tuple) else [value]
                select[name] = [one.name if isinstance(one, Host) else one for one in several]
        if select:
            given["select"] = select
        place = Where("faults.add")
        try:
            text = json.dumps(given)
        except TypeError as error:
            raise DocumentError([Problem(place, "", str(error))]) from None
        problems = Problems()
        fault = read_fault(parse(text, str(place), fixed=place), "", problems)
        problems.raise_if_any()
        self._driver.do(self._chronicle.perform, AddFault(fault))
        self._set[fault["id"]] = None
        return str(fault["id"])

    def clear(self, id: str | None = None) -> None:
        """End one fault, or all for None."""
        self._driver.do(self._chronicle.perform, ClearFault(id))
        if id is None:
            self._set.clear()
        else:
            self._set.pop(id, None)

    @contextlib.contextmanager
    def during(self, kind: str, **fields: Any) -> Iterator[str]:
        """A fault for as long as a ``with`` lasts; its id."""
        id = self.add(kind, **fields)
        try:
            yield id
        finally:
            self.clear(id)

    def ids(self) -> list[str]:
        """Those that were added and not cleared; one with a duration may be over."""
        return list(self._set)
