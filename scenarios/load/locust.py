"""Locust as a child of a run: what it is told, how it ends, and what it found.

It has a process of its own, because its import monkey-patches the process it is in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from loadtest.child import COMPLAINT, LOOPBACK, METRICS_URLS, PARENT, STOP_SECONDS
from scenarios.engine.evidence import Evidence
from scenarios.engine.live import LiveWorld
from scenarios.engine.runner import Load
from scenarios.engine.schema import Coming
from scenarios.engine.world import World, WorldError

CLEAN_UP_SECONDS = 15.0
"""What Locust may take beyond that to report and end."""
LAST_WORDS = 4000
"""Bytes of what it said that a message quotes."""
SUMMARY, LOG, PAGE = "load.json", "locust.log", "locust.html"


class LocustError(Exception):
    """It could not be run, or came to no findings; what it said last is in the message."""


@dataclass(frozen=True, slots=True)
class Order:
    """``arguments``: Locust's own and those of loadtest/locustfile.py. ``folder``: where its files
    go; None for a scratch directory. ``page``: it serves its web page on this port until it ends
    by itself."""

    arguments: tuple[str, ...]
    folder: Path | None = None
    port: int | None = None


class Locust:
    """One call of it, from its start on."""

    def __init__(self, order: Order, kubeconfig: str, metrics: Iterable[str]) -> None:
        """Nothing secret is in its arguments: the kubeconfig is named, not quoted.

        Raises LocustError.
        """
        self._scratch = (
            tempfile.TemporaryDirectory(prefix="beskar7-load-") if order.folder is None else None
        )
        self._folder = Path(self._scratch.name) if self._scratch else order.folder or Path()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._summary = self._folder / SUMMARY
        self._summary.unlink(missing_ok=True)
        self._said: BinaryIO = (self._folder / LOG).open("w+b")
        # However this process ends, Locust sees it and ends, too.
        environment = {**os.environ, PARENT: str(os.getpid())}
        if urls := " ".join(metrics):
            environment[METRICS_URLS] = urls
        try:
            self._process = subprocess.Popen(  # noqa: S603 # our own interpreter, no shell
                self._command(order, kubeconfig),
                stdout=self._said,
                stderr=subprocess.STDOUT,
                env=environment,
                # A session of its own, so that Ctrl-C comes through us, once.
                start_new_session=True,
            )
        except OSError as error:
            raise LocustError(f"locust: {error.strerror}") from None

    def _command(self, order: Order, kubeconfig: str) -> list[str]:
        file = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
        web = (
            ["--headless", "--only-summary"]
            if order.port is None
            else [
                *("--web-host", LOOPBACK, "--web-port", str(order.port)),
                *("--autostart", "--autoquit", "2"),
            ]
        )
        return [
            *(sys.executable, "-m", "locust", "--locustfile", str(file), *web),
            *("--loglevel", "WARNING", "--stop-timeout", f"{STOP_SECONDS:g}"),
            *("--html", str(self._folder / PAGE), "--csv", str(self._folder / "locust")),
            *("--kubeconfig", kubeconfig, "--summary", str(self._summary)),
            # Where its processes meet, whatever Locust's variables in our environment say.
            *("--master-bind-host", LOOPBACK, "--master-host", LOOPBACK),
            *("--master-bind-port", (port := str(_free_port())), "--master-port", port),
            *order.arguments,
        ]

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def findings(self) -> Mapping[str, Any]:
        """What it found, once it has ended. Raises LocustError when that is nothing."""
        try:
            found: Mapping[str, Any] = orjson.loads(self._summary.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            raise LocustError(self._words()) from None
        return found

    def _words(self) -> str:
        """Why there are no findings."""
        self._said.seek(0)
        said = self._said.read()[-LAST_WORDS:].decode(errors="replace").strip()
        for line in said.splitlines():
            if line.startswith(COMPLAINT):
                return line.removeprefix(COMPLAINT)
        code = self._process.returncode
        last = f"; it said last:\n{said}" if said else ""
        return f"Locust ended with {code} and no findings{last}"

    def stop(self) -> None:
        """Ask it to end, wait, and end all its processes by force if need be."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS + CLEAN_UP_SECONDS)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                # Its workers are of its session, and would outlive it.
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def close(self) -> None:
        """:meth:`stop`, and forget its scratch files."""
        self.stop()
        self._said.close()
        if self._scratch is not None:
            self._scratch.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LocustLoad:
    """Locust as who comes and goes (:class:`scenarios.engine.traffic.Demand`)."""

    to_come = 0
    next_at: float | None = None

    def __init__(self, order: Order, world: World, evidence: Evidence) -> None:
        if not isinstance(world, LiveWorld):
            raise WorldError("Locust puts its load on a live world only")
        self._evidence = evidence
        try:
            self._locust = Locust(order, str(world.kubeconfig), world.lab.metrics_urls().values())
        except LocustError as error:
            raise WorldError(str(error)) from None
        self._open = True

    @property
    def pending(self) -> bool:
        """Until Locust has ended and its findings are taken in. Raises WorldError."""
        if self._open and not self._locust.running:
            self._take()
        return self._open

    def _take(self) -> None:
        self._open = False
        try:
            self._evidence.client = self._locust.findings()
        except LocustError as error:
            raise WorldError(str(error)) from None
        finally:
            self._locust.close()

    def arriving(self, now: float) -> list[Coming]:
        return []

    def arrived(self, numbers: Iterable[int], coming: Iterable[Coming], now: float) -> None:
        raise AssertionError("nobody but Locust makes machines")

    def leaving(self, now: float) -> list[int]:
        return []

    def abandon(self) -> None:
        if self._open:
            self._locust.stop()
            with contextlib.suppress(WorldError):
                self._take()


def locust_load(order: Order) -> Load:
    """What :class:`scenarios.engine.runner.Run` wants as its load."""
    return lambda world, evidence: LocustLoad(order, world, evidence)


def on_cluster(order: Order, kubeconfig: str) -> tuple[Mapping[str, Any], bool]:
    """Run it against a cluster that is there; what it found, and whether Ctrl-C broke it off.

    Users give their machines back then. Raises LocustError.
    """
    locust = Locust(order, kubeconfig, os.environ.get(METRICS_URLS, "").split())
    interrupted = False
    try:
        try:
            while not locust.wait(1.0):
                pass
        except KeyboardInterrupt:
            interrupted = True
            locust.stop()
        return locust.findings(), interrupted
    finally:
        locust.close()
