"""``beskar7 swarm``: many random worlds, and what failed in them."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from beskar7.api.problems import DocumentError
from beskar7.runtime import LiveRuntime
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, MAX_SEED, say
from scenarios.parallel.jobs import BackendError, play_all
from scenarios.parallel.options import add_workers, workers_of
from scenarios.swarm.files import read_document
from scenarios.swarm.records import Record, Task, unpack
from scenarios.swarm.seedtrial import SCENARIO
from scenarios.swarm.tally import LiveLine, Tally
from scenarios.swarm.worker import close_players, run_task

MAX_MINUTES = 7 * 24 * 60.0
MAX_LIMIT = 3600.0
KEPT = 100
"""Failing seeds whose files are written; after so many, a swarm says nothing new."""
SHOWN = 20
"""Failing seeds that are listed at the end."""


def register(subparsers: Any) -> None:
    """Add ``swarm`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "swarm",
        help="play many random worlds in virtual time",
        description="Play a random world for each seed, on the real controller in virtual time. "
        "With a scenario: its world and load, with random faults, deaths and settings.",
        epilog="Exit codes: 0 all held, 1 a seed failed, 2 bad input, 130 interrupted.",
    )
    parser.add_argument("scenario", nargs="?", metavar="SCENARIO", help="a name, or a file")
    parser.add_argument(
        "--seeds",
        type=seeds,
        metavar="A..B",
        help="both ends included; A.. goes on until --minutes are over (default: 1..100, "
        "and 1.. with --minutes)",
    )
    parser.add_argument("--minutes", type=_minutes, metavar="M", help="stop after so long")
    add_workers(parser)
    parser.add_argument(
        "--seed-seconds",
        type=_limit,
        default=300.0,
        metavar="S",
        help="wall time after which a seed counts as hung (default: 300)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=Path("out/swarm"),
        metavar="DIR",
        help="where failing seeds leave their files (default: out/swarm)",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def seeds(text: str) -> tuple[int, int | None]:
    """``A..B``, ``A..`` or one seed. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d{1,19})(?:(\.\.)(\d{1,19})?)?", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not A..B, as in 1..1000")
    first = int(match[1])
    last = first if match[2] is None else int(match[3]) if match[3] else None
    if first > MAX_SEED or (last or 0) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r}: seeds go up to {MAX_SEED}")
    if last is not None and last < first:
        raise argparse.ArgumentTypeError(f"{text!r} is empty; write the smaller seed first")
    return first, last


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
    return value


def _minutes(text: str) -> float:
    return _number(text, 0.01, MAX_MINUTES)


def _limit(text: str) -> float:
    return _number(text, 1.0, MAX_LIMIT)


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    line = LiveLine(voice, LiveRuntime().now)
    try:
        base = None if args.scenario is None else read_document(args.scenario)
        if args.report.exists() and not args.report.is_dir():
            raise BackendError(f"--report {args.report}: is a file; give a directory")
        if args.seeds is not None and args.seeds[1] is None and args.minutes is None:
            raise BackendError("--seeds A.. has no end; add --minutes, or write A..B")
        return _run(args, base, line)
    except (DocumentError, BackendError) as error:
        line.say(str(error))
        return BAD_INPUT
    finally:
        line.close()


def _run(args: argparse.Namespace, base: Mapping[str, Any] | None, line: LiveLine) -> int:
    now = LiveRuntime().now
    tally = Tally(now())
    deadline = None if args.minutes is None else tally.began + 60.0 * args.minutes
    records = play_all(
        run_task, _tasks(args, base, deadline), workers_of(args), after=close_players
    )
    ending = "done"
    try:
        for record in records:
            tally.add(record)
            if not record.passed:
                _tell_failure(record, args.report, tally, line)
            line.update(tally.line)
    except KeyboardInterrupt:
        ending = "interrupted"
    finally:
        records.close()
    line.close()
    _conclude(args, tally, ending, now())
    if ending == "interrupted":
        return INTERRUPTED
    return FELL_SHORT if tally.failures else HELD


def _tasks(
    args: argparse.Namespace, base: Mapping[str, Any] | None, deadline: float | None
) -> Iterator[Task]:
    """A task for each seed, until the seeds or the time are over."""
    now = LiveRuntime().now
    first, last = args.seeds or (1, 100 if deadline is None else None)
    seed = first
    while (last is None or seed <= last) and (deadline is None or now() < deadline):
        yield Task(seed, base=base, keep=True, limit=args.seed_seconds)
        seed += 1


def _tell_failure(record: Record, report: Path, tally: Tally, line: LiveLine) -> None:
    """Say it at once, and write what it left: a swarm may be stopped at any time."""
    line.say(f"seed {record.seed}: {record.kind}: {record.said}")
    if len(tally.failures) > KEPT or not record.files:
        return
    folder = report / f"seed-{record.seed}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in unpack(record.files).items():
            (folder / name).write_bytes(content)
    except OSError as error:
        line.say(f"--report {folder}: {error.strerror or error}")


def _conclude(args: argparse.Namespace, tally: Tally, ending: str, now: float) -> None:
    if args.output == "json":
        found = tally.to_json(now, ending)
        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False)
    for seed, record in sorted(tally.failures.items())[:SHOWN]:
        path = args.report / f"seed-{seed}" / SCENARIO
        say(console, f"seed {seed}: {record.kind}: {', '.join(record.ways)}")
        if path.exists():
            say(console, f"    beskar7 run {path} --clock virtual --seed {seed}")
            say(console, f"    beskar7 shrink {path} --seed {seed}")
        else:
            again = f" {args.scenario}" if args.scenario else ""
            say(console, f"    beskar7 swarm{again} --seeds {seed}..{seed}")
    if len(tally.failures) > SHOWN:
        say(console, f"... and {len(tally.failures) - SHOWN} more seeds that failed")
    span = f"{min(tally.runs)}..{max(tally.runs)}" if tally.runs else "none"
    word = "interrupted after" if ending == "interrupted" else "swarm"
    say(console, f"{word} {tally.line(now)}; seeds {span}")
    if tally.runs:
        seconds, seed = tally.slowest
        say(console, f"slowest: seed {seed}, {seconds:.1f} s; digest {tally.digest}")
