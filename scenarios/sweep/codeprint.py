"""Which code plays a sweep, as a digest of its files: runs of two versions are not of one kind."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from scenarios.engine.clocks import Fidelity

PLAYED = ("beskar7", "emulator", "scenarios/engine", "scenarios/storms")
"""What the controller, its world and its runs are made of."""
MODELLED = ("scenarios/models",)
"""What stands in for them at the level ``model``, which uses of them what it can."""
KINDS = (".py", ".yaml", ".j2")
"""Endings of files that a run reads."""


@cache
def code_print(fidelity: Fidelity) -> str:
    """The same for the same files at the same places, wherever they are installed."""
    digest = hashlib.sha256()
    for name in PLAYED + (MODELLED if fidelity == "model" else ()):
        package, _, inner = name.partition("/")
        root = _root(package)
        for path in sorted(path for path in (root / inner).rglob("*") if path.suffix in KINDS):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _root(package: str) -> Path:
    return Path(str(resources.files(package)))
