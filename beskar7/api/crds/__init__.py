"""The CustomResourceDefinitions of our kinds, as files beside this one."""

from __future__ import annotations

from importlib import resources
from typing import Any

import yaml


def load() -> list[dict[str, Any]]:
    """All CRDs, in order of their file names."""
    files = sorted(
        (item for item in resources.files(__name__).iterdir() if item.name.endswith(".yaml")),
        key=lambda item: item.name,
    )
    return [yaml.safe_load(item.read_text(encoding="utf-8")) for item in files]
