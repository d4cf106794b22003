"""The scenarios that come along to compare levels by, and which of them the model was tuned on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from scenarios.engine.loader import load
from scenarios.engine.schema import Scenario

FOLDER = Path(str(resources.files("scenarios"))) / "fidelity" / "set"
TUNED = "tuned"
"""The folder of those whose runs the model's constants were chosen by; all others are unseen."""
SMALL = ("batch-storm", "only-supermicro", "host-shortage")
"""What CI plays: short runs of the code that load the queue, one vendor, and the pool."""


def known() -> dict[str, Path]:
    """All of them by name, the tuned ones first."""
    return {path.stem: path for path in sorted(FOLDER.glob("*/*.yaml"))}


def tuned(name: str) -> bool:
    """Whether the model has seen it. False for what is not of the set, which it cannot have."""
    path = known().get(name)
    return path is not None and path.parent.name == TUNED


def read(name_or_file: str) -> Scenario:
    """One of the set, else as ``beskar7 run`` finds it. Raises DocumentError."""
    path = known().get(name_or_file)
    return load(str(path) if path else name_or_file)
