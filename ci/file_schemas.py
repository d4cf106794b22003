"""Writes the JSON Schemas of the files that users write from the readers that check them.

``--check`` only says whether they are up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scenarios.fileschema.build import schema_of
from scenarios.fileschema.command import FILES
from scenarios.fileschema.scenariofile import SCENARIO
from scenarios.fileschema.text import text_of

TARGET = Path(__file__).resolve().parents[1] / "scenarios"
KINDS = {kind.name: kind for kind in (SCENARIO,)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args(arguments)
    for name, kind in KINDS.items():
        text, file = text_of(schema_of(kind)), TARGET / FILES[name]
        if not args.check:
            file.write_text(text, encoding="utf-8")
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"{file.name}: not up to date; run python ci/file_schemas.py")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
