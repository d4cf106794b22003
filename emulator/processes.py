"""A child process that says when it is ready, and that never outlives its parent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from beskar7.runtime import QueueEmpty, Runtime
from emulator.forking import client as forking

TAIL = 2000
"""Bytes of a child's log that an error message quotes at most."""
ABORTED_LINES = 20
_Process = forking.ForkedProcess | subprocess.Popen[bytes]


class ChildError(Exception):
    """A child did not start or ended, and its last words."""


class ChildSilent(ChildError):
    """A child lives and has not answered in time."""


def cpu_seconds(pid: int) -> float:
    """Processor time that a process used so far; 0 where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Child:
    """One process. It writes a JSON line on stdout when it is ready, and its log on stderr.

    Its stdin is a pipe that we hold: when this process dies, however it dies, the pipe ends, and
    children started with ``--exit-with-stdin`` end with it. A session of its own keeps Ctrl-C on
    the terminal away from it: whoever started it takes it down in order.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        module_args: Sequence[str],
        log_file: Path | BinaryIO,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``environment`` adds to this process's own. A ``log_file`` that is open needs no name."""
        self.name = name
        self.log_file = log_file
        self.ready: dict[str, Any] = {}
        self._runtime = runtime
        self._lines = runtime.queue()
        opened = log_file.open("ab") if isinstance(log_file, Path) else nullcontext(log_file)
        with opened as log:
            variables = {**os.environ, **(environment or {})}
            forked = forking.fork(module_args, log.fileno(), variables)
            self._process: _Process = forked or subprocess.Popen(  # noqa: S603 # ours, arguments as a list
                [sys.executable, "-m", *module_args],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=variables,
                start_new_session=True,
            )
        self._reader = runtime.spawn(self._read, name=f"stdout of {name}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, timeout: float) -> dict[str, Any]:
        """What the child said when it was ready. Raises ChildError after ``timeout`` seconds."""
        self.ready = self.receive(timeout, "was not ready")
        return self.ready

    def send(self, line: bytes) -> None:
        """A line to its stdin. Nothing happens when it has ended: :meth:`receive` tells of it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def receive(self, timeout: float, otherwise: str = "said nothing") -> dict[str, Any]:
        """The next JSON line that it writes.

        Raises:
            ChildSilent: there was none within ``timeout`` seconds.
            ChildError: it has ended.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except QueueEmpty:
            raise ChildSilent(
                f"{self.name} {otherwise} within {timeout:g}s{self._tail()}"
            ) from None
        if line is None:
            self._process.wait()
            raise ChildError(
                f"{self.name} ended with code {self._process.returncode}{self._tail()}"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def ask_to_stop(self) -> None:
        """SIGTERM; see :meth:`stop`."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def join(self, timeout: float) -> bool:
        """Wait for the end of one that has reason to end; SIGKILL after ``timeout`` seconds (then
        False)."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        finally:
            self._close()
        return True

    def stop(self, timeout: float) -> bool:
        """SIGTERM, and SIGKILL when ``timeout`` seconds were not enough (then False)."""
        self.ask_to_stop()
        return self.join(timeout)

    def abort(self, timeout: float = 5.0) -> str:
        """SIGABRT, and what the child wrote then: where it was, if faulthandler is on there."""
        before = len(self._log())
        self._process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        text = self._log()[before:].decode(errors="replace")
        return _indented(text.splitlines()[:ABORTED_LINES])

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _close(self) -> None:
        self._reader.join(1.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _log(self) -> bytes:
        if isinstance(self.log_file, Path):
            return self.log_file.read_bytes()
        # The child writes at the offset that it shares with us: leave that where it is.
        file = self.log_file.fileno()
        return os.pread(file, os.fstat(file).st_size, 0)

    def _tail(self) -> str:
        text = self._log()[-TAIL:].decode(errors="replace").strip()
        return _indented(text.splitlines()[-5:])


def _indented(lines: Sequence[str]) -> str:
    return ":\n  " + "\n  ".join(lines) if lines else ""


def stop_together(children: Iterable[Child], timeout: float) -> None:
    """SIGTERM to all that live, and SIGKILL to those for which ``timeout`` seconds are not enough.

    Each has as long, from when the one before it has ended.
    """
    running = [child for child in children if child.alive]
    for child in running:
        child.ask_to_stop()
    for child in running:
        child.join(timeout)
