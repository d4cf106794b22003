"""``beskar7 recover split-brain|queue|hosts``: the emergency procedures as commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from beskar7.cli import UsageError
from beskar7.operations.options import (
    add_cluster_options,
    bounded_duration,
    open_cluster,
    print_json,
    whole_number,
)

if TYPE_CHECKING:
    from beskar7.operations.cluster import Cluster
    from beskar7.operations.recover import Manner, Report, StepReport

EPILOG = (
    "Exit codes: 0 done, or there was nothing to do; 1 a step was not reached (it says which, what "
    "is left changed, and how to go on); 2 bad input or no cluster; 130 interrupted. What was "
    "begun is remembered in ConfigMap beskar7-recovery: the same command carries it on, from "
    "wherever it is run."
)
COLOURS = {"done": "green", "done before": "green", "not reached": "red", "under way": "blue"}


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "recover", help="carry out an emergency procedure, each step proven before the next"
    )
    emergencies = parser.add_subparsers(dest="emergency", metavar="EMERGENCY", required=True)
    added = emergencies.add_parser(
        "split-brain",
        help="several managers act at once: stop all, clear their leases, start one, then all",
        epilog=EPILOG,
    )
    added.add_argument("--force", action="store_true", help="also when no split brain is seen")
    _common(added, _split_brain)
    added = emergencies.add_parser(
        "queue",
        help="the provisioning queue is stuck: drain it, and let it go on as before",
        epilog=EPILOG,
    )
    added.add_argument(
        "--ops",
        type=whole_number(1, 50),
        metavar="N",
        help="operations at once afterwards, 1 to 50 (default: as before)",
    )
    added.add_argument("--restart", action="store_true", help="restart the managers while drained")
    added.add_argument("--force", action="store_true", help="also when nothing waits")
    _common(added, _queue)
    added = emergencies.add_parser(
        "hosts",
        help="hosts are in Error, or their owner is gone: have them tried or released at once",
        epilog=EPILOG,
    )
    added.add_argument(
        "names",
        nargs="*",
        metavar="[NAMESPACE/]HOST",
        help="default: all that are in Error or were left by their owner",
    )
    added.add_argument(
        "--timeout",
        type=bounded_duration(1.0, 86400.0),
        default=1200.0,
        metavar="TIME",
        help="until they have to be of use (default: 20m)",
    )
    _common(added, _hosts)


def _common(parser: argparse.ArgumentParser, call: Callable[..., Report]) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="say what each step would do here; change nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--abort", action="store_true", help="restore what one that was broken off has changed"
    )
    add_cluster_options(parser)
    parser.set_defaults(run=run, call=call)


def _split_brain(cluster: Cluster, args: argparse.Namespace, manner: Manner) -> Report:
    from beskar7.operations.recover import split_brain

    return split_brain(cluster, manner)


def _queue(cluster: Cluster, args: argparse.Namespace, manner: Manner) -> Report:
    from beskar7.operations.recover import queue

    return queue(cluster, manner, ops=args.ops, restart=args.restart)


def _hosts(cluster: Cluster, args: argparse.Namespace, manner: Manner) -> Report:
    from beskar7.operations.recover import hosts

    return hosts(cluster, args.names, manner, timeout=args.timeout)


def run(args: argparse.Namespace) -> int:
    """Carry out what the arguments say; the exit code."""
    from beskar7.operations.recover import Manner, RecoveryRefused

    asks = not (args.yes or args.dry_run)
    if asks and not sys.stdin.isatty():
        raise UsageError("recover: there is no terminal to ask at: say --yes, or --dry-run to see")
    # What people read goes to standard error where standard output is JSON.
    console = Console(highlight=False, soft_wrap=True, stderr=args.output == "json")
    began = False

    def tell(step: StepReport) -> None:
        nonlocal began
        began = True
        _tell(step, console)

    manner = Manner(
        dry_run=args.dry_run,
        abort=args.abort,
        force=getattr(args, "force", False),
        agree=(lambda report: _agreed(report, console)) if asks else (lambda _: True),
        tell=tell,
    )
    try:
        with open_cluster(args) as cluster:
            report = args.call(cluster, args, manner)
    except RecoveryRefused as error:
        raise UsageError(f"recover {args.emergency}: {error}") from None
    except KeyboardInterrupt:
        if began:
            console.print(
                f"interrupted: run `beskar7 recover {args.emergency}` again to carry on, or with "
                "--abort to restore what was changed"
            )
        return 130
    if args.output == "json":
        print_json(report.to_json())
    else:
        show(report, console, planned=not asks)
    code: int = report.exit_code
    return code


def show(report: Report, console: Console, *, planned: bool = True) -> None:
    """``planned``: what was found and planned has not been shown yet."""
    from beskar7.operations.recover import Outcome

    if report.outcome is Outcome.PLANNED:
        _plan(report, console)
    elif planned:
        for text in report.found:
            console.print(f"found   {escape(text)}")
    for subject in report.subjects:
        well = subject["outcome"] in ("recovered", "nothing to do", "gone")
        colour = "green" if well else "red"
        text = f"{subject['host']}: [{colour}]{subject['outcome']}[/{colour}]"
        console.print(f"host    {text}: {escape(subject['now'])}")
    for text in report.left:
        console.print(f"[yellow]left[/yellow]    {escape(text)}")
    for text in report.advice:
        console.print(f"note    {escape(text)}")
    colour = "red" if report.exit_code else "green"
    console.print(f"recover {report.procedure}: [{colour}]{report.outcome}[/{colour}]")


def _plan(report: Report, console: Console) -> None:
    for text in report.found:
        console.print(f"found   {escape(text)}")
    for number, step in enumerate(report.steps, 1):
        before = " [green](done before)[/green]" if step.outcome == "done before" else ""
        console.print(f"step {number}  [bold]{step.name}[/bold]: {escape(step.plan)}{before}")


def _agreed(report: Report, console: Console) -> bool:
    _plan(report, console)
    if not report.steps:
        return True
    console.print("Do it? \\[y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _tell(step: StepReport, console: Console) -> None:
    colour = COLOURS.get(step.outcome, "default")
    took = "" if step.outcome == "under way" else f" after {step.seconds:.1f}s"
    detail = f": {escape(step.detail or step.plan)}" if step.outcome != "done" else ""
    console.print(f"{step.name:<13} [{colour}]{step.outcome}[/{colour}]{took}{detail}")
