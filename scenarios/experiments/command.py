"""``beskar7 experiment``: a question, its sweep, and the answer that the figures give."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from beskar7.api.problems import DocumentError
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say
from scenarios.engine.clocks import LEVELS
from scenarios.experiments.answer import answer, page
from scenarios.experiments.files import Experiment, experiments, load
from scenarios.experiments.held import Held, compare
from scenarios.experiments.publish import FOLDER, publish
from scenarios.pages.page import save as save_page
from scenarios.parallel.jobs import BackendError, Workers
from scenarios.parallel.options import add_workers, workers_of
from scenarios.sweep.command import play_into
from scenarios.sweep.design import Design
from scenarios.sweep.options import bounded_seeds
from scenarios.sweep.show import SHOWN_ERRORS, error_lines, tables_console, to_table
from scenarios.sweep.store import MANIFEST, Store, StoreError
from scenarios.sweep.summary import summary
from scenarios.sweep.tables import columns, save

PAGE = "index.html"


def register(subparsers: Any) -> None:
    """Add ``experiment`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "experiment",
        help="answer a question by a sweep",
        description="Play an experiment: a sweep with a question, whose answer is computed from "
        "the figures.",
        epilog="Exit codes: 0 all runs held, 1 a run broke a promise or gave no result, "
        "2 bad input, 130 interrupted.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME|FILE", help="see --list, or files")
    parser.add_argument("--list", action="store_true", help="list those that come along")
    parser.add_argument("--all", action="store_true", help="play all of these")
    parser.add_argument("--seeds", type=bounded_seeds, metavar="A..B", help="default: the file's")
    parser.add_argument("--fidelity", choices=LEVELS, help="default: the file's")
    add_workers(parser)
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="keep runs, tables and pages in DIR/NAME"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what is in --report")
    parser.add_argument(
        "--publish",
        type=Path,
        nargs="?",
        const=FOLDER,
        metavar="DIR",
        help=f"write the page and its pictures for the documentation (default DIR: {FOLDER})",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    if args.list:
        return _list(voice)
    if bool(args.names) == args.all:
        say(voice, "beskar7 experiment: which? Give names or files, or --all; --list shows them.")
        return BAD_INPUT
    code = HELD
    try:
        if args.resume and args.report is None:
            raise StoreError("--resume goes on with what is in --report; give that")
        for experiment in [load(name) for name in args.names or experiments()]:
            code = max(code, _play(experiment, args, voice))
            if code == INTERRUPTED:
                break
    except (DocumentError, BackendError, StoreError) as error:
        say(voice, str(error))
        return BAD_INPUT
    except OSError as error:
        where = error.filename or args.report
        say(voice, f"{where}: {error.strerror or error}")
        return BAD_INPUT
    return code


def _list(voice: Console) -> int:
    for name in experiments():
        try:
            told = " ".join(load(name).question.split())
        except DocumentError as error:
            told = f"(broken: {error.problems[0]})"
        sys.stdout.write(f"{name}\n    {told}\n")
    return HELD


def _play(experiment: Experiment, args: argparse.Namespace, voice: Console) -> int:
    design = experiment.design(args.seeds, args.fidelity)
    # Read before anything is played, as the grid is.
    checks = experiment.checks() if design.fidelity == experiment.fidelity else ()
    workers = Workers(1) if design.fidelity == "live" else workers_of(args)
    folder: Path | None = None if args.report is None else args.report / experiment.name
    resume = args.resume and folder is not None and (folder / MANIFEST).exists()
    with Store(design, folder, resume=resume) as store:
        ending = play_into(store, design, workers, voice, experiment.name)
    if ending != "done":
        again = "" if folder is None else f"; --resume --report {args.report} goes on"
        done = f"{len(store.runs)} of {design.count} runs were played"
        say(voice, f"Interrupted: {done}{again}.")
        return INTERRUPTED
    found = answer(experiment, design, store.runs)
    held = None
    if checks:
        held = _check(experiment, checks, folder, args, voice)
        if held is None:
            return INTERRUPTED
    console = tables_console()
    rows = summary(design, store.runs, experiment.measures)
    console.print(to_table(experiment.factors, rows, experiment.measures))
    say(console, f"{experiment.question}\n{found.text}")
    if held is not None:
        say(console, held.text)
    if folder is not None:
        for path in save(columns(design, store.runs), folder):
            say(voice, f"written: {path}")
        made = f"level {design.fidelity}"
        save_page(page(experiment, design, found, made, held), folder / PAGE)
        say(voice, f"written: {folder / PAGE}")
    if args.publish is not None:
        for path in publish(experiment, design, found, args.publish, held):
            say(voice, f"written: {path}")
    lines = error_lines(design, store.runs)
    for line in lines[:SHOWN_ERRORS]:
        say(voice, line)
    return FELL_SHORT if lines else HELD


def _check(
    experiment: Experiment,
    checks: Sequence[Design],
    folder: Path | None,
    args: argparse.Namespace,
    voice: Console,
) -> Held | None:
    """Play the points of its check at both levels; None when that was interrupted."""
    played = []
    for design in checks:
        workers = Workers(1) if design.fidelity == "live" else workers_of(args)
        place = None if folder is None else folder / f"check-{design.fidelity}"
        resume = args.resume and place is not None and (place / MANIFEST).exists()
        with Store(design, place, resume=resume) as store:
            title = f"{experiment.name}, check, {design.fidelity}"
            if play_into(store, design, workers, voice, title) != "done":
                return None
        played.append((design, store.runs))
    return compare(experiment, *played)
