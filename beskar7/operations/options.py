"""What the operators' commands have in common: which cluster, which form, which exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.errors import ApiError
from beskar7.cli import UsageError
from beskar7.manifests.rights import NAMESPACE

if TYPE_CHECKING:
    from beskar7.operations.live import LiveCluster

WIDTH = 120
"""Columns of a report."""
DONE, FOUND, INTERRUPTED = 0, 1, 130
"""Exit codes; 2 is bad input or no cluster (UsageError)."""


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and in which form the answer is to come."""
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config"
    )
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig")
    parser.add_argument(
        "--namespace", default=NAMESPACE, help="where the controller is (default: %(default)s)"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")


def bounded_duration(least: float, most: float) -> Callable[[str], float]:
    """The type of an option that takes a duration, within bounds in seconds."""

    def read(text: str) -> float:
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        if not least <= seconds <= most:
            bounds = f"{format_duration(least)} to {format_duration(most)}"
            raise argparse.ArgumentTypeError(f"{text} is not within {bounds}")
        return seconds

    return read


def bounded_number(least: float, most: float) -> Callable[[str], float]:
    """The type of an option that takes a number, within bounds."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not least <= number <= most:  # no number at all (NaN) is not, either
            raise argparse.ArgumentTypeError(f"{text} is not within {least:g} to {most:g}")
        return number

    return read


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number, within bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return read


@contextmanager
def open_cluster(args: argparse.Namespace) -> Iterator[LiveCluster]:
    """The cluster that the options name.

    Raises UsageError, one line, when there is none, and when it refuses or fails meanwhile.
    """
    # Late: the Kubernetes client takes half a second, and --help needs none.
    from beskar7.kube.client import KubeconfigError
    from beskar7.operations.live import LiveCluster

    try:
        cluster = LiveCluster.from_kubeconfig(args.kubeconfig, args.context, args.namespace)
    except (KubeconfigError, ApiError) as error:
        raise UsageError(_line(error)) from None
    try:
        yield cluster
    except ApiError as error:
        raise UsageError(_line(error)) from None
    finally:
        cluster.close()


@contextmanager
def progress(first: str) -> Iterator[Callable[[str], None]]:
    """Tells on standard error what is being done: in one line of a terminal, else in lines."""
    voice = Console(stderr=True, highlight=False)
    with voice.status(first) as status:

        def tell(text: str) -> None:
            if voice.is_terminal:
                status.update(escape(text))
            else:
                voice.print(escape(text), soft_wrap=True)

        yield tell


def console() -> Console:
    """On standard output, as wide as the terminal; where there is none, as wide as a report."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.width = WIDTH
    return found


def print_json(value: Any) -> None:
    """``value`` (of plain data) on standard output."""
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
