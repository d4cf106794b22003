"""``beskar7 up``: the world of a scenario, without its load, for as long as you want it."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from beskar7.api.problems import DocumentError
from emulator.forking.client import prepare
from scenarios.chosenpersonality import add_personality, personality_overrides
from scenarios.engine.loader import load
from scenarios.engine.world import WorldError

if TYPE_CHECKING:
    from scenarios.engine.live import LiveWorld

BAD_INPUT, FAILED = 2, 1
POLL = 0.5
"""Seconds between looks at the processes."""


def register(subparsers: Any) -> None:
    """Add ``up`` to the command's subparsers."""
    parser = subparsers.add_parser(
        "up",
        help="put a lab up: Kubernetes API, BMC fleet, managers",
        description="Put the world of a scenario up and keep it until Ctrl-C.",
    )
    parser.add_argument("scenario", nargs="?", default="smoke", metavar="NAME|FILE")
    parser.add_argument("--hosts", metavar="N", help="how many hosts (default: the scenario's)")
    parser.add_argument("--shards", metavar="N", help="how many processes serve the BMCs")
    parser.add_argument("--managers", metavar="N", help="how many managers")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change a field of the scenario's world",
    )
    add_personality(parser)
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--port", type=int, default=0, help="of the API (default: any free one)")
    parser.add_argument("--dir", type=Path, help="keep kubeconfig and logs here, not in scratch")
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="keep the API's objects here, and kubeconfig and logs too unless --dir says where; "
        "the next lab on it goes on, on the same port if that is free",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="say it in one line of JSON, and end when standard input ends",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Until SIGINT or SIGTERM (or the end of stdin with ``--json``); the exit code."""
    voice = Console(stderr=True, highlight=False)
    overrides = list(args.set)
    for field, value in (
        ("hosts.count", args.hosts),
        ("hosts.shards", args.shards),
        ("managers.replicas", args.managers),
    ):
        if value is not None:
            overrides.append(f"world.{field}={value}")
    try:
        scenario = load(args.scenario, [*personality_overrides(args), *overrides])
    except DocumentError as error:
        voice.print(Text(str(error)), soft_wrap=True)
        return BAD_INPUT
    directory = args.dir or args.data_dir
    if directory is not None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            voice.print(
                Text(f"{'--dir' if args.dir else '--data-dir'} {directory}: {error.strerror}")
            )
            return BAD_INPUT
    prepare()
    from scenarios.engine.live import LiveWorld  # the Kubernetes client takes half a second

    world = LiveWorld(
        scenario,
        args.seed,
        directory,
        api_port=args.port,
        deployed=True,
        data_dir=args.data_dir,
    )
    stopping = world.runtime.event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        world.start()
        _tell(world, args.json)
        if args.json:
            world.runtime.spawn(_wait_for_end_of_stdin, stopping, name="stdin")
        while not stopping.wait(POLL):
            world.check()
    except WorldError as error:
        voice.print(Text(f"beskar7 up: {error}"), soft_wrap=True)
        return FAILED
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        world.stop()
    return 0


def _wait_for_end_of_stdin(stopping: Any) -> None:
    while sys.stdin.read(1):
        pass
    stopping.set()


def _tell(world: LiveWorld, as_json: bool) -> None:
    kubeconfig = str(world.lab.kubeconfig)
    if as_json:
        metrics = list(world.lab.metrics_urls().values())
        line = {"ready": True, "kubeconfig": kubeconfig, "metrics": metrics}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        return
    console = Console(highlight=False)
    console.print(
        f"The lab is up: {len(world.lab.addresses)} hosts, "
        f"{len(world.lab.managers())} managers. In another terminal:\n"
    )
    console.print(f"  export KUBECONFIG={kubeconfig}", soft_wrap=True)
    console.print("  kubectl get physicalhosts -w")
    console.print("  beskar7 faults add --kind hang --select host=host-001 --set duration=30s")
    console.print("  kubectl -n beskar7-system logs -f deployment/beskar7-controller-manager")
    console.print(f"  beskar7 fleet top --lab {world.lab.directory}\n", soft_wrap=True)
    console.print(f"Logs: {world.lab.directory}", soft_wrap=True)
    console.print("Ctrl-C takes it down.")
    sys.stdout.flush()  # Into a file, too: nothing else is said until the end.
