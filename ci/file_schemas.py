"""Writes the JSON Schemas of the files that users write from the readers that check them.

``--check`` only says whether they are up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from wholepage import only_check, settled, stale

from scenarios.fileschema.build import schema_of
from scenarios.fileschema.command import FILES
from scenarios.fileschema.scenariofile import SCENARIO
from scenarios.fileschema.text import text_of

TARGET = Path(__file__).resolve().parents[1] / "scenarios"
KINDS = {kind.name: kind for kind in (SCENARIO,)}


def main(arguments: list[str] | None = None) -> int:
    check = only_check(__doc__, arguments)
    for name, kind in KINDS.items():
        file = TARGET / FILES[name]
        if not settled(file, text_of(schema_of(kind)), check=check):
            print(stale(file, __file__))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
