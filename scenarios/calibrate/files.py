"""Writes a calibration, so that :meth:`Calibration.load` reads it back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from scenarios.calibrate.fit import Measured
from scenarios.models.calibration import TIMES, VERSION


def written(times: Sequence[Measured], about: Mapping[str, object]) -> str:
    """``about`` says in which run they were measured."""
    entries: dict[str, dict[str, object]] = {}
    for time in times:
        figures = {
            name: _rounded(value)
            for name in ("value", "mean", "low", "high", "p50", "p95")
            if not math.isnan(value := getattr(time, name))
        }
        entries[time.name] = {"what": TIMES[time.name], "count": time.count, **figures}
    document = {"beskar7_calibration": VERSION, "measured": dict(about), "times": entries}
    return yaml.safe_dump(document, sort_keys=False, width=100, allow_unicode=True)


def _rounded(value: float) -> float:
    """To four digits: no measurement knows more."""
    return float(f"{value:.4g}")


def save(path: Path, times: Sequence[Measured], about: Mapping[str, object]) -> None:
    """Raises OSError."""
    path.write_text(written(times, about), encoding="utf-8")
