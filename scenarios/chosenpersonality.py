"""``--personality FILE``: all hosts of a scenario are machines of that file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from beskar7.api.problems import DocumentError, Problem, Where
from emulator.bmc.personalityfile import read
from emulator.fields import FieldError


def add_personality(parser: argparse.ArgumentParser) -> None:
    """Add the option to a command that runs a scenario's world."""
    parser.add_argument(
        "--personality",
        type=Path,
        metavar="FILE",
        help="make all hosts machines of this personality (docs/personalities.md)",
    )


def personality_overrides(args: argparse.Namespace) -> list[str]:
    """The option as changes of the scenario. Raises :class:`DocumentError` for a bad file."""
    if args.personality is None:
        return []
    try:
        vendor = read(args.personality).vendor
    except FieldError as bad:
        raise DocumentError([Problem(Where("--personality"), "", str(bad))]) from None
    place = json.dumps([str(args.personality.resolve())])
    return [
        f"world.hosts.personalities={place}",
        f"world.hosts.vendors={json.dumps({vendor: 1})}",
    ]
