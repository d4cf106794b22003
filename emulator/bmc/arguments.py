"""The command line of ``python -m emulator.bmc``."""

from __future__ import annotations

import argparse
from pathlib import Path

from emulator.bmc.shards import MAX_SHARDS


def _count(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_SHARDS}, not {value!r}")
    return int(value)


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) > 65_535:
        raise argparse.ArgumentTypeError(f"must be 0 to 65535, not {value!r}")
    return int(value)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The checked command line; a mistake ends the process with code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m emulator.bmc", description="Serve a fleet of emulated BMCs."
    )
    parser.add_argument("--spec", type=Path, required=True, help="the fleet: JSON")
    parser.add_argument(
        "--credentials", type=Path, required=True, help="JSON, mode 0600: username and password"
    )
    parser.add_argument(
        "--token-file", type=Path, required=True, help="mode 0600: the control endpoint's token"
    )
    parser.add_argument("--control-port", type=_port, default=0, help="0: any that is free")
    parser.add_argument(
        "--tls-dir", type=Path, help="where ca.crt, tls.crt and tls.key go (default: scratch)"
    )
    parser.add_argument(
        "--shards",
        type=_count,
        default=1,
        metavar="N",
        help="serve from so many processes, each some of the BMCs; if one dies, all end",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="render every answer anew (to measure that)"
    )
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="end when stdin reaches its end"
    )
    parser.add_argument(
        "--log-level", default="WARNING", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    return parser.parse_args(argv)
