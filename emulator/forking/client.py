"""Processes of this one that are forked by a server (:mod:`emulator.forking`), kept by it.

The standard library's fork server (``multiprocessing``) is the tests' authors' to configure, and
would import the main module of whoever runs the tests into each process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from beskar7.runtime import Deadline, LiveRuntime
from emulator.forking.request import PRELOADS, Request, send

UNKNOWN = 255
"""The exit code of a process whose server was killed, so that nobody has it."""
_ROOM = " " * 2048
"""An argument for the server: a process's title lies where the arguments of its server lay."""
_clock = LiveRuntime()
_lock = _clock.lock()


class ForkedProcess:
    """As :class:`subprocess.Popen`, of a process that the server is to fork.

    It may not be there yet: ``pid`` and what signals it wait until it is.
    """

    def __init__(self, answers: socket.socket, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.stdin: BinaryIO | None = stdin
        self.stdout: BinaryIO | None = stdout
        self.returncode: int | None = None
        self._answers = answers
        self._lock = _clock.lock()
        self._pid = 0
        self._descriptor = -1
        self._orphaned = False

    @property
    def pid(self) -> int:
        """0 where the server ended before it had forked it."""
        while not self._pid and self.returncode is None:
            self._listen(None)
        return self._pid

    def poll(self) -> int | None:
        """Its exit code, minus the signal that ended it; None while it runs."""
        with self._lock:
            self._hear()
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        deadline = Deadline(_clock, timeout)
        while self.returncode is None:
            left = deadline.remaining()
            self._listen(left)
            if left == 0.0 and self.returncode is None:
                raise subprocess.TimeoutExpired(str(self._pid), timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing happens when it has ended."""
        if not self.pid:
            return
        with self._lock:
            self._hear()
            if self.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _listen(self, timeout: float | None) -> None:
        """Until something is told of it, or ``timeout`` seconds have passed."""
        with self._lock:
            if self._hear() or self.returncode is not None:
                return
            # Of our own, as another thread may learn of the end meanwhile.
            told = os.dup(self._told)
        try:
            _readable(told, timeout)
        finally:
            os.close(told)
        with self._lock:
            self._hear()

    @property
    def _told(self) -> int:
        """The descriptor that is readable when there are news."""
        return self._descriptor if self._orphaned else self._answers.fileno()

    def _hear(self) -> bool:
        """Take what was told, and whether it was anything. The lock is held."""
        heard = False
        while self.returncode is None and _readable(self._told, 0.0):
            heard = True
            if self._orphaned:
                self._end(UNKNOWN)
                break
            words, descriptors = b"", list[int]()
            with contextlib.suppress(ConnectionError):
                words, descriptors, _, _ = socket.recv_fds(self._answers, 32, 1)
            if self._pid and words:
                self._end(int(words))
            elif words:
                self._pid, self._descriptor = int(words), descriptors[0]
            elif self._pid:
                self._orphaned = True
            else:
                self._end(UNKNOWN)
        return heard

    def _end(self, code: int) -> None:
        self.returncode = code
        self._answers.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)


class ForkServer:
    """One server, of this process alone: it ends with it, at once when it ends in order."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 # our own module, arguments as a list
                [sys.executable, "-m", "emulator.forking", _ROOM],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._owner = os.getpid()

    @property
    def ours(self) -> bool:
        """Not, where this process was forked from the one that made it."""
        return self._owner == os.getpid()

    def fork(
        self, module_args: Sequence[str], stderr: int, environment: Mapping[str, str]
    ) -> ForkedProcess:
        """Raises OSError when the server has ended."""
        answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stdin, to_stdin = os.pipe()
        from_stdout, stdout = os.pipe()
        process = ForkedProcess(answers, os.fdopen(to_stdin, "wb"), os.fdopen(from_stdout, "rb"))
        try:
            request = Request(
                module=module_args[0],
                arguments=list(module_args[1:]),
                directory=os.getcwd(),
                environment=environment,
                descriptors=(stdin, stdout, stderr),
                answers=theirs,
            )
            send(self._control, request)
        except OSError:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
            answers.close()
            raise
        finally:
            theirs.close()
            os.close(stdin)
            os.close(stdout)
        return process

    def close(self) -> None:
        self._control.close()
        if self.ours:
            self._process.kill()
            self._process.wait()


class _Servers:
    """The server of this process, which is started once it is needed."""

    def __init__(self) -> None:
        self.current: ForkServer | None = None
        self.allowed = sys.platform == "linux"

    def start(self) -> ForkServer:
        """The lock is held. Raises OSError."""
        if self.current is not None:
            self.current.close()
        os.close(os.pidfd_open(os.getpid()))  # A kernel without is told before a process is lost.
        self.current = ForkServer()
        return self.current


_servers = _Servers()


def prepare() -> None:
    """Start the server, beside what this process does until it needs its first process."""
    with _lock, contextlib.suppress(OSError):
        if _servers.allowed and (_servers.current is None or not _servers.current.ours):
            _servers.start()


def forbid() -> None:
    """No more forks: each process gets an interpreter of its own, to measure what that takes."""
    with _lock:
        _servers.allowed = False
        if _servers.current is not None:
            _servers.current.close()
            _servers.current = None


def fork(
    module_args: Sequence[str], stderr: int, environment: Mapping[str, str]
) -> ForkedProcess | None:
    """``python -m`` these in a process that begins with everything imported; None where not so.

    It has a session of its own, this process's directory, this environment, and pipes to here.
    """
    if module_args[0] not in PRELOADS or not _servers.allowed:
        return None
    with _lock, contextlib.suppress(OSError):
        current = _servers.current
        if current is None or not current.ours:
            current = _servers.start()
        try:
            return current.fork(module_args, stderr, environment)
        except OSError:
            # It was killed, or could not begin.
            return _servers.start().fork(module_args, stderr, environment)
    return None


def _readable(descriptor: int, timeout: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


@atexit.register
def _close() -> None:
    if _servers.current is not None and _servers.current.ours:
        _servers.current.close()
