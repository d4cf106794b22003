"""``python -m beskar7_harness.guard DIR PROGRAM ARGUMENT...``: a program that does not outlive us.

Whoever starts the guard holds its standard input. The program gets SIGTERM when that ends or the
guard is asked to stop, SIGKILL when it does not hurry, and SIGKILL at once for the line ``kill``.
It has a session of its own, so that its children go with it. Its output goes to our standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys

GRACE = 10.0
"""Seconds from SIGTERM to SIGKILL."""


def main(argv: list[str]) -> int:
    """The program's exit code, 128 + N for signal N; 127 when it cannot be started."""
    directory, *command = argv
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        process = subprocess.Popen(  # noqa: S603 # the command of a test's author, as a list
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror or error}\n")
        return 127
    sys.stdout.write(json.dumps({"ready": True, "pid": process.pid}) + "\n")
    sys.stdout.flush()
    code = _watch(process, reading, asked)
    _signal(process, signal.SIGKILL)
    return code if code >= 0 else 128 - code


def _watch(process: subprocess.Popen[bytes], wakeup: int, asked: list[int]) -> int:
    """Until the program has ended, by itself or because it had to."""
    sources = [0, wakeup]
    while process.poll() is None:
        readable, _, _ = select.select(sources, [], [])
        if wakeup in readable:
            os.read(wakeup, 512)
        if 0 in readable:
            words = os.read(0, 512)
            if b"kill" in words:
                _signal(process, signal.SIGKILL)
                return process.wait()
            if not words:
                asked.append(signal.SIGTERM)
                sources.remove(0)
        if asked and process.poll() is None:
            _signal(process, signal.SIGTERM)
            try:
                return process.wait(GRACE)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                return process.wait()
    return process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """To the program and what it has started, the program itself being gone or not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
