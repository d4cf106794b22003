"""``beskar7 fleet calibrate``: from recorded times to a personality."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from rich.console import Console

from beskar7.runtime import LiveRuntime
from emulator.bmc.personality import OPERATIONS
from emulator.bmc.personalityfile import personalities
from emulator.bmc.personalityfile import read as read_personality
from emulator.bmc.redfish import timestamp
from emulator.fields import FieldError

BAD_INPUT = 2
SHOWN = 20
"""Bad rows that are printed; the rest is counted."""


def add(commands: Any) -> None:
    """Add the subcommand to ``beskar7 fleet``."""
    parser = commands.add_parser(
        "calibrate",
        help="fit a personality's latencies to a recorded log",
        description="Fit the latencies of a personality to recorded answers of real BMCs: a CSV of "
        "operation and seconds, a DMTF mockup's time.json (or the mockup's folder), or the "
        "histogram buckets of a Prometheus text exposition.",
        epilog="Exit codes: 0 written, 2 bad input, with file and line.",
        allow_abbrev=False,
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--vendor", help="name of the personality (default: FILE's)")
    parser.add_argument(
        "--base", default="generic", metavar="NAME", help="what is not fitted is this one's"
    )
    parser.add_argument("--metric", default="", help="which histogram, where there are several")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="LABEL=VALUE",
        help="only the histogram's series with this label; may be repeated",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        dest="renamed",
        metavar="NAME=KIND",
        help=f"what a log's own word means; kinds: {', '.join(OPERATIONS)}",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave bad rows out, and say how many"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the bootstrap")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, fit, say, write; the exit code."""
    voice = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        return _run(args, voice)
    except FieldError as bad:
        voice.print(f"beskar7 fleet calibrate: {bad}", markup=False)
        return BAD_INPUT


def _run(args: argparse.Namespace, voice: Console) -> int:
    vendor = args.vendor or args.output.name.partition(".")[0]
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", vendor):
        raise FieldError(f"--vendor: must be lower-case letters, digits and '-', not {vendor!r}")
    if args.base not in personalities():
        raise FieldError(f"--base: must be one of {', '.join(personalities())}, not {args.base!r}")
    renamed = _pairs(args.renamed, "--map")
    for name, kind in renamed.items():
        if kind not in OPERATIONS:
            raise FieldError(f"--map {name}: must mean one of {', '.join(OPERATIONS)}, not {kind}")
    # Late: numpy and scipy take a second to load, which no other command needs to wait for.
    from emulator.calibration import readers, report
    from emulator.calibration.choice import choose_all

    reading = readers.Reading(renamed, args.metric, _pairs(args.where, "--where"))
    for place in args.inputs:
        readers.read(place, reading)
    _complain(reading.problems, args.skip_bad, voice)
    observations = {kind: s for kind in OPERATIONS if (s := reading.found.get(kind)) and s.count}
    if not observations:
        raise FieldError(f"{args.inputs[0]}: must hold one observation at least")
    runtime = LiveRuntime(args.seed)
    chosen = choose_all(observations, runtime.rng("calibration/bootstrap").getrandbits(64))
    date = timestamp(runtime.wall())[:10]
    _write(args.output, report.personality(vendor, args.base, date, observations, chosen))
    Console(highlight=False, width=max(100, voice.width)).print(report.table(observations, chosen))
    untouched = tuple(kind for kind in OPERATIONS if kind not in chosen)
    for text in report.warnings(observations, chosen, untouched, args.base):
        voice.print(f"warning: {text}", style="yellow", markup=False)
    voice.print(f"wrote {args.output}: vendor {vendor}, on the base of {args.base}", markup=False)
    return 0


def _pairs(given: list[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.rpartition("=")
        if not equals or not name:
            raise FieldError(f"{option}: must be NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


def _complain(problems: list[str], skip: bool, voice: Console) -> None:
    """Raises FieldError with the bad rows, unless they are to be skipped."""
    if not problems:
        return
    shown = problems[:SHOWN]
    if len(problems) > SHOWN:
        shown.append(f"... and {len(problems) - SHOWN} more")
    if not skip:
        raise FieldError("\n".join([*shown, "mend them, or leave them out by --skip-bad"]))
    voice.print("\n".join(shown), markup=False)
    voice.print(f"warning: {len(problems)} bad rows left out", style="yellow")


def _write(file: Path, text: str) -> None:
    """The file, whole or not at all, and read back as a fleet will read it."""
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_text(text, "utf-8")
        read_personality(draft)
        draft.replace(file)
    except OSError as bad:
        raise FieldError(f"{file}: cannot be written: {bad.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
