"""``beskar7 sieve``: a scenario again and again, each time perturbed at another point."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from beskar7.api.durations import parse_duration
from beskar7.api.problems import DocumentError
from beskar7.runtime import LiveRuntime
from scenarios.chosenpersonality import add_personality, personality_overrides
from scenarios.command import BAD_INPUT, FELL_SHORT, HELD, INTERRUPTED, say, seed
from scenarios.engine.loader import load
from scenarios.parallel.options import add_jobs
from scenarios.sieve.points import PATTERNS, Point
from scenarios.sieve.probe import Spans
from scenarios.sieve.replay import Finding, Lesson, learn, perturbed
from scenarios.sieve.run import replay_all

MAX_SPAN = 3600.0
EVERY = 5.0
"""Seconds between two lines of progress, where there is no terminal."""
SHOWN = 20


def register(subparsers: Any) -> None:
    """Add ``sieve`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "sieve",
        help="perturb a run at each of its points in turn",
        description="Learn a run in virtual time, then replay it once for each point at which a "
        "crash, a stale cache or an unobserved event could disturb it. Each replay has to hold "
        "every invariant and to end as the learned run did.",
        epilog="Exit codes: 0 all held, 1 something fell short, 2 bad input, 130 interrupted.",
    )
    parser.add_argument("scenario", metavar="NAME|FILE", help="as for beskar7 run")
    parser.add_argument(
        "--pattern", action="append", choices=PATTERNS, help="one of them; may be repeated"
    )
    parser.add_argument("--seed", type=seed, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="PATH=VALUE",
        help="as for beskar7 run",
    )  # fmt: skip
    add_personality(parser)
    add_jobs(parser, default=1)
    parser.add_argument(
        "--held", type=_span, default=5.0, metavar="TIME",
        help="for how long the past is seen (default: 5s)",
    )  # fmt: skip
    parser.add_argument(
        "--restart", type=_span, default=1.0, metavar="TIME",
        help="from a crash until another manager is started (default: 1s)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="points that differ by names only, too")
    parser.add_argument("--only", type=_point, metavar="POINT", help="replay this one, and tell it")
    parser.add_argument("--report", type=Path, metavar="DIR", help="with --only: its report")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def _span(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 <= seconds <= MAX_SPAN:
        raise argparse.ArgumentTypeError(f"{text} is not from 0s to 1h")
    return seconds


def _point(text: str) -> Point:
    try:
        return Point.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Run as the arguments say; the exit code."""
    voice = Console(stderr=True, highlight=False)
    if args.report is not None and args.only is None:
        say(voice, "beskar7 sieve: --report is for one replay; name it with --only POINT")
        return BAD_INPUT
    try:
        scenario = load(args.scenario, [*personality_overrides(args), *args.overrides])
    except DocumentError as error:
        say(voice, str(error))
        return BAD_INPUT
    if scenario.rehearsal is not None:
        say(
            voice,
            f"{args.scenario}: a rehearsal's times are not those of a disturbed run; "
            "give a scenario without one",
        )
        return BAD_INPUT
    spans = Spans(args.held, args.restart)
    findings: list[Finding] = []
    try:
        lesson = learn(scenario, args.seed)
        if lesson.shortfalls:
            say(voice, f"The run falls short by itself: {'; '.join(lesson.shortfalls)}")
            return FELL_SHORT
        if args.only is not None:
            return _replay_one(args, voice, lesson, spans)
        points = lesson.learned.points(args.pattern or PATTERNS, every=args.all)
        _replay(args, voice, lesson, points, spans, findings)
    except KeyboardInterrupt:
        _tell(args, findings, "INTERRUPTED")
        return INTERRUPTED
    _tell(args, findings)
    return FELL_SHORT if any(finding.shortfalls for finding in findings) else HELD


def _replay(
    args: argparse.Namespace,
    voice: Console,
    lesson: Lesson,
    points: list[Point],
    spans: Spans,
    findings: list[Finding],
) -> None:
    stopwatch = LiveRuntime().now
    told_at = stopwatch()
    with closing(replay_all(lesson, points, spans, args.jobs)) as found, voice.status("") as line:
        for finding in found:
            findings.append(finding)
            if finding.shortfalls:
                say(voice, f"{finding.point.name}, {finding.point.what}: fell short")
            bad = sum(bool(f.shortfalls) for f in findings)
            said = f"{len(findings)} of {len(points)} replays, {bad} fell short"
            line.update(said)
            now = stopwatch()
            if not voice.is_terminal and (now - told_at >= EVERY or len(findings) == len(points)):
                told_at = now
                say(voice, said)


def _replay_one(args: argparse.Namespace, voice: Console, lesson: Lesson, spans: Spans) -> int:
    known = {p.name: p for p in lesson.learned.points([args.only.pattern], every=True)}
    point = known.get(args.only.name)
    if point is None:
        say(voice, f"--only {args.only.name}: the run has no such point; it has {len(known)}")
        return BAD_INPUT
    result, finding = perturbed(lesson, point, spans)
    if args.report is not None:
        from scenarios.engine.keeping import save  # jinja2 takes its time

        try:
            for path in save(result, args.report)[:2]:
                say(voice, f"written: {path}")
        except OSError as error:
            say(voice, f"--report {args.report}: {error.strerror or error}")
            return BAD_INPUT
    _tell(args, [finding])
    return FELL_SHORT if finding.shortfalls else HELD


def _tell(args: argparse.Namespace, findings: list[Finding], otherwise: str = "HELD") -> None:
    """Counts by pattern, and the failures with the command that replays each."""
    played = Counter((f.point.pattern, f.point.how) for f in findings)
    short = Counter((f.point.pattern, f.point.how) for f in findings if f.shortfalls)
    failed = sorted(
        (f for f in findings if f.shortfalls), key=lambda f: (f.point.pattern, f.point.number)
    )
    if args.output == "json":
        told = {
            "scenario": args.scenario,
            "seed": args.seed,
            "replays": [
                {"pattern": pattern, "how": how, "played": n, "fell_short": short[pattern, how]}
                for (pattern, how), n in played.items()
            ],
            "failures": [
                {
                    "point": f.point.name,
                    "at": f.point.what,
                    "shortfalls": list(f.shortfalls),
                    "replay": _command(args, f.point),
                }
                for f in failed
            ],
        }
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    console = Console(highlight=False)
    table = Table("pattern", "how", "replays", "fell short", box=None, header_style="bold")
    for (pattern, how), count in sorted(played.items()):
        table.add_row(pattern, how, str(count), str(short[pattern, how]))
    console.print(table)
    for finding in failed[:SHOWN]:
        point = finding.point
        said = f"{point.name}, {point.what}: {'; '.join(finding.shortfalls)}"
        console.print(Text(said, style="red"), soft_wrap=True)
        console.print(Text(f"  {_command(args, point)}"), soft_wrap=True)
    if len(failed) > SHOWN:
        console.print(f"... and {len(failed) - SHOWN} more; --output json has them all")
    verdict = "NOT HELD" if failed else otherwise
    line = f"{args.scenario}: {verdict} (seed {args.seed}, {len(findings)} replays)"
    console.print(Text(line, style="bold red" if failed else "bold green"), soft_wrap=True)


def _command(args: argparse.Namespace, point: Point) -> str:
    words = ["beskar7", "sieve", args.scenario, "--seed", str(args.seed), "--only", point.name]
    words += [word for override in args.overrides for word in ("--set", override)]
    if args.personality is not None:
        words += ["--personality", str(args.personality)]
    words += ["--held", f"{args.held:g}s", "--restart", f"{args.restart:g}s", "--report", "out"]
    return shlex.join(words)
