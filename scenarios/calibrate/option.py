"""``--calibration FILE`` of every command that plays the model."""

from __future__ import annotations

import argparse
from pathlib import Path

from scenarios.models.calibration import Calibration


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """Add the option; :func:`calibration_of` reads what it names."""
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="the model's times, as beskar7 calibrate measured them (default: those of the code "
        "in virtual time)",
    )


def calibration_of(args: argparse.Namespace) -> Calibration:
    """Raises :class:`beskar7.api.problems.DocumentError` for a file that is none."""
    return Calibration() if args.calibration is None else Calibration.load(args.calibration)
