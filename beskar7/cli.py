"""The ``beskar7`` command. Upper packages add subcommands by the entry point ``beskar7.commands``.

An entry point has the name of its subcommand, so that a command waits for no other's imports, and
names a function that takes the subparsers and adds to them; each subcommand sets ``run``, a
function from the parsed arguments to the exit code.
"""

from __future__ import annotations

import argparse
import signal
import sys
from importlib.metadata import entry_points
from typing import Any

from beskar7.flags import add_flags, settings_of
from beskar7.logs import configure


class UsageError(Exception):
    """A user's mistake: printed as one line, exit code 2."""


def parser_of(wanted: str) -> argparse.ArgumentParser:
    """The parser of the command, with the subcommand that is wanted; where it is none, with all."""
    parser = argparse.ArgumentParser(
        prog="beskar7", description="Beskar7, its emulated world, and experiments on both."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_manager(commands)
    if wanted != "manager":
        _add_others(commands, wanted)
    return parser


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if argv is None and words[:1] != ["manager"]:
        # As Ctrl-C: what was found is told, what was started goes down. Of a manager see below.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # The imports for some commands take long enough for a Ctrl-C.
        args = parser_of(words[0] if words else "").parse_args(words)
        return int(args.run(args) or 0)
    except UsageError as error:
        print(f"beskar7: {error}", file=sys.stderr)  # noqa: T201 # the command's own voice
        return 2
    except KeyboardInterrupt:
        return 130


def _add_others(commands: Any, wanted: str) -> None:
    """This package's subcommands, and the one that is wanted; of all packages where there is none.

    The upper packages load a simulator and a fleet, for which an operator's command need not wait.
    """
    entries = sorted(entry_points(group="beskar7.commands"), key=lambda entry: entry.name)
    ours = [entry for entry in entries if entry.module.partition(".")[0] == "beskar7"]
    for entry in ours:
        entry.load()(commands)
    others = [entry for entry in entries if entry not in ours]
    for entry in sorted(others, key=lambda entry: entry.name != wanted):
        if wanted in commands.choices:
            return
        entry.load()(commands)


def _add_manager(commands: Any) -> None:
    parser = commands.add_parser("manager", help="run the controller manager", allow_abbrev=False)
    add_flags(parser)
    parser.set_defaults(run=_run_manager)


def _run_manager(args: argparse.Namespace) -> int:
    # Late: other subcommands need not wait for the Kubernetes client's import.
    from beskar7 import process

    try:
        settings = settings_of(args)
        configure(settings.tuned({}).log)
        manager = process.LiveManager(settings)
    except (process.StartError, ValueError) as error:
        raise UsageError(str(error)) from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    if args.exit_with_stdin:
        manager.stop_with(sys.stdin)
    return manager.run()
