"""CPython's collector of cycles, out of the way of runs that make few."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

THRESHOLDS = (100_000, 50, 100)
"""A run of the model keeps its objects to its end, and CPython's usual thresholds (700, 10, 10)
have it walk all of them over and over: a sixth of the time (``benchmarks/models.py``)."""


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """The collector looks a hundredth as often; it is as it was after that."""
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
