"""``beskar7 explain``: how it came to what a run's verdict says, from the logs that it kept."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beskar7.api.durations import parse_duration
from beskar7.api.problems import DocumentError, closest

if TYPE_CHECKING:
    from scenarios.engine.story.recording import Recording

DONE, BAD_INPUT = 0, 2
MAX_NAMES = 200
"""Characters of a list of names."""


def register(subparsers: Any) -> None:
    """Add ``explain`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "explain",
        help="tell from a run's logs how an invariant came to be violated",
        description="Tell from the logs of a run (beskar7 run --report DIR) what led to each "
        "violation; or all that happened to a host or a machine.",
        epilog="Exit codes: 0 told, 2 bad input.",
    )
    parser.add_argument("run_dir", type=Path, metavar="DIR|result.json")
    parser.add_argument("--host", metavar="HOST", help="what happened to this host")
    parser.add_argument("--machine", metavar="MACHINE", help="what happened to this machine")
    parser.add_argument(
        "--around",
        type=_seconds,
        metavar="SECONDS",
        help="so long before and after each violation (10 or 1m30s)",
    )
    parser.set_defaults(run=run)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        try:
            found = parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    if not math.isfinite(found) or found < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return found


def run(args: argparse.Namespace) -> int:
    """Tell as the arguments say; the exit code."""
    # What reads and judges runs takes its time to import; other commands start without it.
    from scenarios.engine.story.chapters import about
    from scenarios.engine.story.entries import entries
    from scenarios.engine.story.kept import read
    from scenarios.engine.story.text import biography, story

    try:
        recording = read(args.run_dir)
    except DocumentError as error:
        return _refuse(str(error))
    host, machine = args.host or "", args.machine or ""
    if mistake := _unknown(recording, host, machine):
        return _refuse(f"{args.run_dir}: {mistake}")
    if not host and not machine:
        sys.stdout.write(story(recording, entries(recording), around=args.around))
        return DONE
    chapter = about(recording, host, machine)
    if args.around is not None and not chapter.violations:
        name = " and ".join(part for part in (host, machine) if part)
        return _refuse(f"--around: no violation concerns {name}; without it, all is told")
    sys.stdout.write(biography(recording, entries(recording), chapter, args.around))
    return DONE


def _refuse(message: str) -> int:
    sys.stderr.write(message + "\n")
    return BAD_INPUT


def _unknown(recording: Recording, host: str, machine: str) -> str:
    """What is wrong with the names; empty when nothing is."""
    history = recording.history
    for option, name, tracks in (
        ("--host", host, history.hosts),
        ("--machine", machine, history.machines),
    ):
        names = {track.name for track in tracks.values()}
        if name and name not in names:
            return f"{option} {name}: this run had none of that name; {_near(name, names)}"
    return ""


def _near(name: str, names: set[str]) -> str:
    """The nearest name, or some of many."""
    said = closest(name, names)
    return said if len(said) <= MAX_NAMES else said[:MAX_NAMES] + "..."
