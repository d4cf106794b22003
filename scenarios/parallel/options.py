"""``--jobs``, ``--backend``, ``--scheduler``: the same for each command that plays many runs."""

from __future__ import annotations

import argparse

from scenarios.parallel.jobs import BACKENDS, Workers

MAX_JOBS = 256


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the three options; :func:`workers_of` reads them."""
    add_jobs(parser)
    parser.add_argument("--backend", choices=BACKENDS, default="loky", help="default: loky")
    parser.add_argument("--scheduler", metavar="ADDR", help="a Dask scheduler, tcp://host:port")


def add_jobs(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    """Add ``--jobs`` alone; None is one per core."""
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=default,
        metavar="N",
        help=f"workers (default: {default or 'one per core'})",
    )


def workers_of(args: argparse.Namespace) -> Workers:
    return Workers(args.jobs, args.backend, args.scheduler)


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_JOBS}")
    return int(text)
