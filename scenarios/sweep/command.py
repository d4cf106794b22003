"""``beskar7 sweep``: a scenario over a grid of settings, at any level of fidelity."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from beskar7.api.problems import DocumentError
from beskar7.runtime import LiveRuntime
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say
from scenarios.pages.page import save as save_page
from scenarios.parallel.jobs import BackendError, Workers
from scenarios.parallel.options import workers_of
from scenarios.swarm.tally import LiveLine
from scenarios.sweep.curves import factor
from scenarios.sweep.design import Design
from scenarios.sweep.options import add_options, asked
from scenarios.sweep.page import sweep_page
from scenarios.sweep.runs import Run, play
from scenarios.sweep.show import SHOWN_ERRORS, error_lines, tables_console, to_json, to_table
from scenarios.sweep.store import Store, StoreError
from scenarios.sweep.summary import read_measures, summary, usual_measures
from scenarios.sweep.tables import columns, save

PAGE = "index.html"


def register(subparsers: Any) -> None:
    """Add ``sweep`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "sweep",
        help="play a scenario over a grid of settings",
        description="Play a scenario at every point of a grid, with every seed, by the model, by "
        "the controller in virtual time, or live, and tell what it measured, with intervals. "
        "The scenario's own checks are left out; its invariants are judged.",
        epilog="Exit codes: 0 all runs held, 1 a run broke a promise or gave no result, "
        "2 bad input, 130 interrupted.",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    try:
        if args.resume and args.report is None:
            raise StoreError("--resume goes on with what is in --report; give that")
        measures = read_measures(args.measures) if args.measures else ()
        workers = workers_of(args)
        if args.fidelity == "live" and workers.count != 1:
            if args.jobs is not None:
                raise BackendError("--jobs: live runs side by side disturb each other; give 1")
            workers = Workers(1)
        design = asked(args)
        with Store(design, args.report, resume=args.resume) as store:
            ending = play_into(store, design, workers, voice)
            measures = measures or usual_measures(store.runs.values())
            kept = keep(design, store, measures, args.report, again(args))
    except (DocumentError, BackendError, StoreError) as error:
        say(voice, str(error))
        return BAD_INPUT
    except OSError as error:
        say(voice, f"--report {args.report}: {error.strerror or error}")
        return BAD_INPUT
    for path in kept:
        say(voice, f"written: {path}")
    return _conclude(args, design, store, measures, ending, voice)


def play_into(
    store: Store, design: Design, workers: Workers, voice: Console, title: str = "sweep"
) -> str:
    """Play what is left, and show how far it is. Says how it ended: ``done``, ``interrupted``.

    Raises BackendError, and OSError where a run cannot be kept.
    """
    now = LiveRuntime().now
    line = LiveLine(voice, now)
    before, began = len(store.runs), now()
    if before:
        line.say(f"{title}: {before} of {design.count} runs are there already")

    def progress(time: float) -> str:
        made = len(store.runs) - before
        rate = made / max(time - began, 1e-9)
        left = design.count - len(store.runs)
        said = f"[{time - began:6.1f} s] {title}: {len(store.runs)} of {design.count} runs"
        return said + (f", {rate:.3g} runs/s, {left / rate:.0f} s left" if made and left else "")

    def add(run: Run) -> None:
        store.add(run)
        if len(store.runs) < design.count:
            line.update(progress)

    ending = "done"
    try:
        play(design, workers, done=store.runs, add=add)
    except KeyboardInterrupt:
        ending = "interrupted"
    finally:
        line.close()
    say(voice, progress(now()))
    return ending


def keep(
    design: Design, store: Store, measures: Sequence[str], folder: Path | None, command: str
) -> list[Path]:
    """The tables and the page of what is there; where they are. Raises OSError."""
    if folder is None or not store.runs:
        return []
    page = folder / PAGE
    save_page(sweep_page(design, store.runs, measures, command), page)
    return [*save(columns(design, store.runs), folder), page]


def again(args: argparse.Namespace) -> str:
    """The command that plays this sweep, for its page."""
    words = ["beskar7", "sweep", args.scenario]
    words += [word for text in args.grid for word in ("--grid", text)]
    words += [word for texts in args.zip for word in ("--zip", *texts)]
    words += [word for text in args.overrides for word in ("--set", text)]
    if args.personality is not None:
        words += ["--personality", str(args.personality)]
    if args.calibration is not None:
        words += ["--calibration", str(args.calibration)]
    seeds = f"{args.seeds[0]}..{args.seeds[-1]}"
    return shlex.join([*words, "--seeds", seeds, "--fidelity", args.fidelity])


def _conclude(
    args: argparse.Namespace,
    design: Design,
    store: Store,
    measures: Sequence[str],
    ending: str,
    voice: Console,
) -> int:
    rows = summary(design, store.runs, measures)
    if args.output == "json":
        found = to_json(design, rows, ending)
        sys.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        factors = [factor(group) for group in design.groups]
        tables_console().print(to_table(factors, rows, measures))
    lines = error_lines(design, store.runs)
    for text in lines[:SHOWN_ERRORS]:
        say(voice, text)
    if len(lines) > SHOWN_ERRORS:
        say(voice, f"... and {len(lines) - SHOWN_ERRORS} more runs that fell short")
    if ending == "interrupted":
        said = "" if args.report is None else f"; --resume --report {args.report} goes on"
        say(voice, f"Interrupted: {len(store.runs)} of {design.count} runs were played{said}.")
        return INTERRUPTED
    return FELL_SHORT if lines else HELD
