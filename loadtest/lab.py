"""A lab of one's own for the time of a load test: a child process that says when it is ready."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from types import TracebackType

SHUTDOWN_SECONDS = 20.0
"""How long a lab may take to end its own processes before it is killed."""
TAIL_LINES = 20


class LabError(Exception):
    """The lab did not come up; what it said last is in the message."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a lab says on its standard output when it serves."""

    kubeconfig: str
    metrics: list[str] = field(default_factory=list)
    namespace: str = ""


def parse_ready(line: str) -> Ready | None:
    """The announcement, None for any other line. Raises LabError for one without a kubeconfig."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("ready") is not True:
        return None
    if not isinstance(said.get("kubeconfig"), str):
        raise LabError(f"the lab is ready but names no kubeconfig: {line.strip()}")
    metrics = [url for url in said.get("metrics") or [] if isinstance(url, str)]
    return Ready(said["kubeconfig"], metrics, str(said.get("namespace") or ""))


class Lab:
    """Runs ``command`` from ``with`` to its end; the lab also ends when this process does."""

    def __init__(self, command: Sequence[str], timeout: float = 120.0) -> None:
        """``timeout`` bounds the wait for readiness, in seconds."""
        self._command = list(command)
        self._timeout = timeout
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self.ready = Ready("")

    def __enter__(self) -> Lab:
        """Start, and wait until the lab is ready. Raises LabError."""
        try:
            # A session of its own: Ctrl-C reaches the driver alone, which ends things in order.
            # The pipe to its stdin is never written to; its end tells the lab that we are gone.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"{self._command[0]}: {error.strerror}") from None
        self._read(self._process.stdout, self._lines.put)
        self._read(self._process.stderr, self._remember)
        try:
            self.ready = self._await()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the lab, and by force whatever of it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(SHUTDOWN_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            # Not yet reaped, so the group still is the lab's own: all that the lab started.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _await(self) -> Ready:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                why = f"the lab was not ready within {self._timeout:g} s"
                raise LabError(self.with_last_words(why)) from None
            if line is None:
                code = self._process.wait() if self._process else None
                raise LabError(self.with_last_words(f"the lab ended with exit code {code}"))
            if ready := parse_ready(line):
                return ready

    def _remember(self, line: str | None) -> None:
        if line is not None:
            self._tail.append(line)

    def with_last_words(self, why: str) -> str:
        """``why``, and the end of what the lab logged."""
        said = "".join(self._tail).rstrip()
        return f"{why}; it said last:\n{said}" if said else why

    @staticmethod
    def _read(stream: Iterable[str] | None, take: Callable[[str | None], object]) -> None:
        """Read to the end in the background, so that the lab never blocks on a full pipe."""

        def pump() -> None:
            for line in stream or ():
                take(line)
            take(None)

        threading.Thread(target=pump, daemon=True).start()
