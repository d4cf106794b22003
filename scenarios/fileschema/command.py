"""``beskar7 schema``: the JSON Schema of a file that users write, for their editors."""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from typing import Any

FILES = {"scenario": "scenario.schema.json"}
"""By the kind of file; written by ``ci/file_schemas.py``, which takes longer than one waits."""


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of a kind of file, for completion in editors",
        allow_abbrev=False,
    )
    parser.add_argument(
        "kind", nargs="?", choices=sorted(FILES), default="scenario", help="default: scenario"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    sys.stdout.write(text(args.kind))
    return 0


def text(kind: str) -> str:
    """The schema of a kind of :data:`FILES`."""
    return resources.files("scenarios").joinpath(FILES[kind]).read_text("utf-8")
