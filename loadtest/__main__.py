"""``python -m loadtest``: brings a lab up, runs Locust against it, takes it down.

Locust runs in a process of its own, because its import monkey-patches the process it is in.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

from loadtest.lab import Lab, LabError, Ready

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_SECONDS = 30
"""How long users may finish the machine in hand when the time is up."""
CLEAN_UP_SECONDS = 15.0
"""What Locust may take beyond that to report and end."""
LOOK_EVERY = 1.0
"""Seconds between looks at whether the lab still runs."""
INTERRUPTED = 130


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest", description=(__doc__ or "").split("\n")[0]
    )
    add = parser.add_argument
    add("--hosts", type=_positive, default=20, help="hosts in the lab (default 20)")
    add("--managers", type=_positive, default=2, help="manager replicas (default 2)")
    add("--users", type=_positive, default=16, help="machines wanted at once (default 16)")
    add("--spawn-rate", type=_positive, default=8, help="users started a second (default 8)")
    add("--duration", type=_positive, default=60, help="seconds (default 60)")
    add("--kubeconfig", help="use this cluster instead of a lab")
    add("--summary", default="out/load/summary.json", help="JSON file for the findings")
    add("locust", nargs="*", help="further arguments for Locust, after --")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def lab_command(options: argparse.Namespace) -> list[str]:
    """The command of the lab, a process of its own: a load test imports nothing of it."""
    size = ["--hosts", str(options.hosts), "--managers", str(options.managers)]
    return [sys.executable, "-m", "beskar7", "up", *size, "--json"]


def locust_command(options: argparse.Namespace, ready: Ready) -> list[str]:
    """The headless Locust. Nothing secret is in it: the kubeconfig is named, not quoted."""
    command = [
        *(sys.executable, "-m", "locust", "--headless", "--only-summary"),
        *("--locustfile", str(LOCUSTFILE), "--loglevel", "WARNING"),
        *("--users", str(options.users), "--spawn-rate", str(options.spawn_rate)),
        *("--run-time", f"{options.duration}s", "--stop-timeout", str(STOP_SECONDS)),
        *("--kubeconfig", ready.kubeconfig, "--summary", options.summary),
    ]
    if ready.namespace:
        command += ["--namespace", ready.namespace]
    return command + list(options.locust)


def run_locust(command: Sequence[str], environment: dict[str, str], lab: Lab | None) -> int:
    """Run it to its end and return its exit code. Raises LabError when the lab dies meanwhile."""
    # A session of its own, so that Ctrl-C comes through us, once.
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while True:
            try:
                return process.wait(LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if lab is not None and not lab.running:
                    raise LabError(lab.with_last_words("the lab ended in mid-test")) from None
    except KeyboardInterrupt:
        print("Stopping: users give their machines back (Ctrl-C again to stop at once)", flush=True)
        _stop(process, STOP_SECONDS + CLEAN_UP_SECONDS)
        return INTERRUPTED
    finally:
        _stop(process, LOOK_EVERY)


def _stop(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask a process to end, wait, and end it by force if need be. Ctrl-C makes the wait short."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(patience)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        if options.kubeconfig:
            print(f"Using the cluster of {options.kubeconfig}", flush=True)
            world: Lab | nullcontext[None] = nullcontext()
        else:
            print(
                f"Bringing a lab up: {options.hosts} hosts, {options.managers} managers", flush=True
            )
            world = Lab(lab_command(options))
        with world as lab:
            ready = lab.ready if lab else Ready(options.kubeconfig)
            environment = dict(os.environ)
            if ready.metrics:
                environment["BESKAR7_METRICS_URLS"] = " ".join(ready.metrics)
            print(f"Locust: {options.users} users for {options.duration} s", flush=True)
            return run_locust(locust_command(options, ready), environment, lab)
    except LabError as error:
        print(f"load test: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C, so that the lab is taken down."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
