"""``beskar7 shrink``: the smallest file that still fails as a seed did."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from beskar7.api.problems import DocumentError
from beskar7.runtime import LiveRuntime
from scenarios.command import BAD_INPUT, HELD, INTERRUPTED, MAX_SEED, seed
from scenarios.swarm.draw import draw
from scenarios.swarm.files import read_document
from scenarios.swarm.records import Record, Task
from scenarios.swarm.seedtrial import written
from scenarios.swarm.shrink import Document, Shrinker, values
from scenarios.swarm.sound import unsound
from scenarios.swarm.tally import LiveLine
from scenarios.swarm.worker import close_players, run_task

MAX_RUNS = 100_000
KEPT = frozenset({"limits", "name"})
"""A shorter time limit would be reached sooner, and not by the same failure."""


def register(subparsers: Any) -> None:
    """Add ``shrink`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "shrink",
        help="make a failing seed or scenario as small as it can be",
        description="Leave out of a failing world whatever its failure does not need, and write "
        "the rest as a scenario file.",
        epilog="Exit codes: 0 written, 2 bad input or nothing failed, 130 interrupted (the "
        "smallest so far is written).",
    )
    parser.add_argument("what", metavar="SEED|FILE", help="a seed of the swarm, or a scenario")
    parser.add_argument(
        "--seed",
        type=seed,
        metavar="N",
        help="the seed to play FILE with (default: the number its name or folder ends in)",
    )
    parser.add_argument("--runs", type=_runs, default=600, metavar="N", help="at most (600)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="default: out/shrink/WAY-SEED.yaml")
    parser.set_defaults(run=run)


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= MAX_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_RUNS}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    line = LiveLine(Console(stderr=True, highlight=False), LiveRuntime().now)
    try:
        number, document = _given(args.what, args.seed)
        if why := unsound(document):
            line.say(f"{args.what}: cannot be judged: {why}")
            return BAD_INPUT
        return _shrink(number, document, args, line)
    except DocumentError as error:
        line.say(str(error))
        return BAD_INPUT
    finally:
        close_players()
        line.close()


def _given(what: str, given: int | None) -> tuple[int, dict[str, Any]]:
    """The seed to play with, and the document."""
    if re.fullmatch(r"\d{1,19}", what, re.ASCII) and int(what) <= MAX_SEED:
        return int(what), draw(int(what))
    document = read_document(what)
    if given is not None:
        return given, document
    path = Path(what)
    for name in (path.stem, path.parent.name):
        if match := re.search(r"-(\d{1,18})$", name, re.ASCII):
            return int(match[1]), document
    return 1, document


def _shrink(number: int, document: Document, args: argparse.Namespace, line: LiveLine) -> int:
    first = run_task(Task(number, document=document))
    if first.passed:
        line.say(f"{args.what} holds with seed {number}: there is nothing to shrink")
        return BAD_INPUT
    way = first.ways[0]
    line.say(f"{way}: {first.said}")
    last = [first]

    def fails(candidate: Document) -> bool:
        record = run_task(Task(number, document=candidate))
        if way in record.ways:
            last[0] = record
            return True
        return False

    now = LiveRuntime().now
    began = now()
    shrinker = Shrinker(
        document,
        fails,
        args.runs,
        sound=lambda candidate: not unsound(candidate),
        kept=KEPT,
        note=lambda at: line.update(lambda time: _progress(at, time - began)),
    )
    code = HELD
    try:
        shrinker.shrink()
    except KeyboardInterrupt:
        code = INTERRUPTED
    line.say(_progress(shrinker, now() - began))
    target = (
        args.to or Path("out/shrink") / f"{re.sub(r'[^a-z0-9]+', '-', way.lower())}-{number}.yaml"
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_commented(shrinker.document, last[0]), encoding="utf-8")
    except OSError as error:
        line.say(f"--to {target}: {error.strerror or error}")
        return BAD_INPUT
    line.say(f"written: {target}")
    line.say(f"    beskar7 run {target} --clock virtual --seed {number}")
    return code


def _progress(at: Shrinker, wall: float) -> str:
    document = at.document
    parts = [
        f"{len(document.get('faults') or ())} faults",
        f"{len(document.get('acts') or ())} acts",
        f"{document['world']['hosts']['count']} hosts",
        f"{document['load']['machines']} machines",
        f"{values(document)} values",
    ]
    return f"[{wall:6.1f} s] {at.runs} runs, {at.smaller} times smaller: {', '.join(parts)}"


def _commented(document: Mapping[str, Any], record: Record) -> str:
    said = " ".join(record.said.split())
    return f"# {', '.join(record.ways)}\n# {said}\n{written(document)}"
