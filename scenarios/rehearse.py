"""``beskar7 rehearse``: an emergency in the lab, to be repaired by whoever sits before it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from beskar7.api.durations import parse_duration
from beskar7.api.problems import DocumentError, closest
from beskar7.runtime import LiveRuntime
from scenarios.chosenpersonality import add_personality, personality_overrides
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say, seed
from scenarios.engine.loader import catalog, load
from scenarios.engine.rehearsal.record import seconds_of
from scenarios.engine.rehearsal.show import acts_table
from scenarios.engine.result import Result
from scenarios.engine.schema import Rehearsal, Scenario
from scenarios.operatorscreen import OnlyNotes, OperatorScreen, summary

MAX_TIMEOUT = 24 * 3600.0
MAX_HINTS = 10


def register(subparsers: Any) -> None:
    """Add ``rehearse`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "rehearse",
        help="put a lab up, break it, and see how you repair it",
        description="Play the cause of a rehearsal and wait for your repair, by kubectl or "
        "beskar7 recover in another terminal.",
        epilog="Exit codes: 0 recovered, 1 not in time or a promise was broken, 2 bad input, "
        "130 interrupted.",
    )
    parser.add_argument("scenario", metavar="NAME|FILE", help="one with a rehearsal")
    parser.add_argument("--dir", type=Path, help="keep kubeconfig and logs here, not in scratch")
    parser.add_argument(
        "--hints", type=_hints, default=0, metavar="N", help="give the first N hints at once"
    )
    parser.add_argument(
        "--timeout",
        type=_timeout,
        default=900.0,
        metavar="DURATION",
        help="how long the repair may take from the alarm on (default: 15m)",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report and result here")
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="PATH=VALUE",
        help="change a field of the scenario; may be repeated",
    )
    add_personality(parser)
    parser.set_defaults(run=run)


def _timeout(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 1.0 <= seconds <= MAX_TIMEOUT:
        raise argparse.ArgumentTypeError(f"{text} has to be from 1s to 24h")
    return seconds


def _hints(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:4]) > MAX_HINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MAX_HINTS}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Until it is repaired, or time is over; the exit code."""
    voice = Console(stderr=True, highlight=False)
    try:
        scenario = load(args.scenario, [*personality_overrides(args), *args.overrides])
    except DocumentError as error:
        say(voice, str(error))
        return BAD_INPUT
    script = scenario.rehearsal
    if script is None:
        say(voice, f"{args.scenario}: has no rehearsal; {closest(scenario.name, _rehearsals())}")
        return BAD_INPUT
    if scenario.virtual_only:
        where = ", ".join(scenario.virtual_only)
        say(voice, f"{args.scenario}: {where}: only in virtual time, where nobody can repair")
        return BAD_INPUT
    for option, folder in (("--dir", args.dir), ("--report", args.report)):
        if folder is None:
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            say(voice, f"{option} {folder}: {error.strerror or error}")
            return BAD_INPUT
    limits = replace(scenario.limits, timeout=scenario.limits.timeout + args.timeout)
    return _rehearse(replace(scenario, limits=limits), script, args, voice)


def _rehearsals() -> list[str]:
    """The scenarios of the catalog that can be rehearsed."""
    return [name for name, path in catalog().items() if load(str(path)).rehearsal is not None]


def _rehearse(
    scenario: Scenario, script: Rehearsal, args: argparse.Namespace, voice: Console
) -> int:
    from scenarios.engine.live import LiveWorld  # the Kubernetes client takes half a second
    from scenarios.engine.runner import Run
    from scenarios.engine.trial import verdict

    def tell(text: str) -> None:
        console.print(Text(text), soft_wrap=True)
        console.file.flush()

    console = Console(highlight=False)
    stopwatch = LiveRuntime().now
    began = stopwatch()
    world = LiveWorld(scenario, args.seed, args.dir, deployed=True)
    operator = OperatorScreen(world, script, args.timeout, args.hints, tell)
    attempt = Run(
        scenario, clock="live", seed=args.seed, progress=OnlyNotes(tell), operator=operator
    )
    operator.listen()
    try:
        attempt.body(world)
    except KeyboardInterrupt:
        attempt.evidence.ending, attempt.evidence.reason = "interrupted", "by the user"
    result = verdict(attempt.evidence, stopwatch() - began)
    _tell(result, script, console)
    if args.report is not None:
        from scenarios.engine.keeping import save  # jinja2 takes its time

        for path in save(result, args.report)[:2]:
            say(voice, f"written: {path}")
    if attempt.evidence.ending == "interrupted":
        return INTERRUPTED
    return HELD if recovered(result) and not result.violations else FELL_SHORT


def recovered(result: Result) -> bool:
    return seconds_of(result.evidence.parts, "recovery") is not None


def _tell(result: Result, script: Rehearsal, console: Console) -> None:
    evidence = result.evidence
    console.print()
    if evidence.parts:
        console.print(acts_table(evidence.parts))
    found = summary(evidence, script.hints)
    if "recovered" in found:
        line = f"Recovered {found['recovered']} after the alarm, {found['after_repair']} after "
        line += f"the last repair, with {found['hints']}."
        console.print(Text(line, "bold green"), soft_wrap=True)
    else:
        reason = evidence.reason or evidence.ending
        console.print(Text(f"Not recovered: {reason}", "bold red"), soft_wrap=True)
    broken = [item for item in result.invariants if item.verdict == "violated"]
    for violation in result.violations[:10]:
        time = violation.time - evidence.origin
        line = f"{violation.invariant} at {time:.1f} s, {violation.host}: {violation.detail}"
        console.print(Text(line, "red"), soft_wrap=True)
    if broken:
        names = ", ".join(item.name for item in broken)
        console.print(Text(f"Promises that were broken on the way: {names}", "bold red"))
    elif "recovered" in found:
        console.print(f"All {len(result.invariants)} invariants held on the way.")
    if evidence.ending == "timeout":
        console.print(Text(f"The world was not at rest afterwards: {evidence.reason}", "yellow"))
