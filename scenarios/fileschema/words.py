"""What the fields mean, from the YAML files beside this module: ``section: {path: words}``.

The words are a text, or a mapping with ``about``, and ``examples``. Of these, and of ``tries``,
readers take one where a value made from the declaration would not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

from scenarios.fileschema.paths import owners
from scenarios.fileschema.survey import SurveyError


class Words:
    """Raises :class:`SurveyError` at :meth:`finish` for fields without words, and for words
    without a field."""

    def __init__(self, kind: str) -> None:
        text = resources.files("scenarios.fileschema").joinpath(f"{kind}.yaml").read_text("utf-8")
        known: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
        self._known = {name: all for name, all in known.items() if not name.startswith("x-")}
        self._used: set[tuple[str, str]] = set()
        self._missing: set[str] = set()

    def of(self, section: str, path: str) -> dict[str, Any]:
        """Keywords of JSON Schema for a field; the section's own with an empty path."""
        said = self._find(section, path)
        if said is None:
            self._missing.add(f"{section}: {path}")
            return {}
        if isinstance(said, str):
            return {"description": said}
        found = {"description": said["about"]}
        if "examples" in said:
            found["examples"] = said["examples"]
        return found

    def place(self, section: str, path: str) -> int:
        """Where the words stand: the order in which fields are shown."""
        known = list(self._known.get(section, {}))
        return next((known.index(place) for place in owners(path) if place in known), len(known))

    def _find(self, section: str, path: str) -> Any:
        """What holds for elements of a list holds, if nothing else is said, as for their list's
        owner: ``load.mix[].image_url`` is as ``load.image_url``."""
        known = self._known.get(section, {})
        for place in owners(path):
            if place in known:
                self._used.add((section, place))
                return known[place]
        return None

    def examples(self, section: str) -> dict[str, list[Any]]:
        """By path."""
        return {
            path: [*said.get("examples", ()), *said.get("tries", ())]
            for path, said in self._known.get(section, {}).items()
            if isinstance(said, Mapping) and said.keys() & {"examples", "tries"}
        }

    def finish(self) -> None:
        given = {(section, path) for section, all in self._known.items() for path in all}
        stale = [f"{section}: {path}" for section, path in sorted(given - self._used)]
        if self._missing or stale:
            raise SurveyError(f"without words: {sorted(self._missing)}; without a field: {stale}")
