"""An answer without the deed: what a BMC says to an action that it does not perform."""

from __future__ import annotations

import copy
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

KEPT = (("vmedia", "_devices"), ("systems", "_systems"))
"""State of sushy-tools' drivers that actions change, beside the machine's."""


@contextmanager
def rehearsal(bmc: Bmc) -> Iterator[None]:
    """What is performed within is answered as ever, and has not happened afterwards.

    It draws no luck and is in no log, so what really happens later goes as it would have gone.
    """
    real = bmc.machine
    before = [copy.deepcopy(dict(state)) for state in _states(bmc)]
    rest = bmc.refuses_until
    bmc.machine = real.double()
    try:
        yield
    finally:
        bmc.machine, bmc.refuses_until = real, rest
        for state, items in zip(_states(bmc), before, strict=True):
            state.clear()
            state.update(items)
        bmc.version += 1


def _states(bmc: Bmc) -> list[MutableMapping[Any, Any]]:
    return [getattr(bmc.drivers.get(name), held) for name, held in KEPT]
