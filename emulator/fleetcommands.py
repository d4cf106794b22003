"""``beskar7 fleet``: commands about the fleet of BMCs."""

from __future__ import annotations

from typing import Any

from emulator import fleettop
from emulator.calibration import command as calibrate


def register(commands: Any) -> None:
    """The entry point of the ``beskar7`` command; each subcommand of ``fleet`` adds itself."""
    parser = commands.add_parser("fleet", help="work with emulated BMCs", allow_abbrev=False)
    inner = parser.add_subparsers(dest="fleet_command", metavar="COMMAND", required=True)
    fleettop.add(inner)
    calibrate.add(inner)
