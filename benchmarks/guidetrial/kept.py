"""Results beside the page: which experiment, with which seeds, from which state of the code."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from guidetrial.model import Experiment, Sum, digest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "guide-on-trial.json"
CODE = ("beskar7", "emulator", "scenarios")
DIGITS = 6
"""Significant digits of a figure that is kept."""


def code_state(root: Path = ROOT) -> str:
    """A digest of the code that the figures come from, whatever is committed of it."""
    found = blake2b(digest_size=6)
    for package in CODE:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in (".py", ".yaml") and "__pycache__" not in path.parts:
                found.update(path.relative_to(root).as_posix().encode() + b"\0")
                found.update(path.read_bytes() + b"\0")
    return found.hexdigest()


class Results:
    """Figures by experiment, and what the guide's blocks did, as the file has them."""

    def __init__(self, path: Path = RESULTS) -> None:
        self.path = path
        told: dict[str, Any] = {}
        if path.exists():
            told = json.loads(path.read_text(encoding="utf-8"))
        self.experiments: dict[str, dict[str, Any]] = told.get("experiments", {})
        self.blocks: dict[str, Any] = told.get("blocks", {})

    def lacks(self, experiment: Experiment, code: str = "") -> list[int]:
        """The seeds that are still to be played; all when it was another experiment then.

        With ``code``, also all when only some were played, and in another state of the code.
        """
        row = self.experiments.get(experiment.name, {})
        done = row.get("seeds", {}) if row.get("definition") == digest(experiment) else {}
        wanted = range(1, experiment.seeds + 1)
        left = [seed for seed in wanted if str(seed) not in done]
        return list(wanted) if left and code and row.get("code") != code else left

    def put(
        self, experiment: Experiment, seed: int, code: str, figures: Mapping[str, float]
    ) -> None:
        """Keep a result; one of another state of the code takes the place of all before it."""
        row = self.experiments.get(experiment.name, {})
        if (row.get("definition"), row.get("code")) != (digest(experiment), code):
            row = {"definition": digest(experiment), "code": code, "seeds": {}}
        row["seeds"][str(seed)] = {
            name: float(f"{value:.{DIGITS}g}") for name, value in sorted(figures.items())
        }
        self.experiments[experiment.name] = row

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget the experiments that no claim asks for any more."""
        wanted = set(names)
        self.experiments = {k: v for k, v in self.experiments.items() if k in wanted}

    def save(self) -> None:
        """Whole or not at all, so that a run that is broken off loses nothing."""
        told = {
            "experiments": dict(sorted(self.experiments.items())),
            "blocks": self.blocks,
        }
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        os.replace(scratch, self.path)


class Figures:
    """What claims are judged by: results, and sums."""

    def __init__(self, results: Results, sums: Iterable[Sum]) -> None:
        self._results = results
        self._sums = {each.name: each for each in sums}

    def of(self, name: str) -> list[float]:
        """One number a seed. Raises LookupError, naming what is missing."""
        experiment, _, measure = name.partition(":")
        if experiment in self._sums:
            return [self._sums[experiment].values[measure]]
        row = self._results.experiments.get(experiment)
        if row is None:
            raise LookupError(f"{experiment} was not played")
        seeds = sorted(row["seeds"].items(), key=lambda item: int(item[0]))
        try:
            return [float(figures[measure]) for _, figures in seeds]
        except KeyError:
            raise LookupError(f"{experiment} has no figure {measure} for every seed") from None
