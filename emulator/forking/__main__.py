"""``python -m emulator.forking``: the server that forks. Its standard input is a socket.

Each message on it is a process to be (:mod:`emulator.forking.request`). What the processes need is
imported once, in the order in which labs start them, and a process forks off as soon as its own
part is there. Nothing here has threads, and the server itself runs nothing of what it imports. It
ends when the socket does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import runpy
import select
import socket
import sys

import setproctitle

from emulator.forking.request import PRELOADS, Request, receive


class _Forked:
    """A process of ours, and who wants to know of its end."""

    def __init__(self, pid: int, answers: socket.socket) -> None:
        self.pid = pid
        self.answers = answers
        self.descriptor = os.pidfd_open(pid)

    def reap(self) -> None:
        """Tell of its end, which has come: by then its number may be somebody else's."""
        _, status = os.waitpid(self.pid, 0)
        with contextlib.suppress(OSError):
            self.answers.sendall(b"%d" % os.waitstatus_to_exitcode(status))
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)
        self.answers.close()


def serve(control: socket.socket) -> Request | None:
    """Returns None at the end of ``control``, and in each process that is forked what it runs."""
    waiting = list(PRELOADS)
    forked: dict[int, _Forked] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        ready = poll.poll(0 if waiting else None)
        if not ready:
            _preload(waiting.pop(0))
        for descriptor, _ in ready:
            if descriptor != control.fileno():
                poll.unregister(descriptor)
                forked.pop(descriptor).reap()
                continue
            request = receive(control)
            if request is None:
                return None
            if request.module in waiting:
                waiting.remove(request.module)
                _preload(request.module)
            pid = os.fork()
            if pid == 0:
                control.close()
                for other in forked.values():
                    other.close()
                return request
            child = _Forked(pid, request.answers)
            request.close_descriptors()
            with contextlib.suppress(OSError):
                socket.send_fds(child.answers, [b"%d" % pid], [child.descriptor])
            forked[child.descriptor] = child
            poll.register(child.descriptor, select.POLLIN)


def _preload(module: str) -> None:
    for name in PRELOADS[module]:
        # What cannot be imported fails where it is needed, with its traceback in the right log.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
        if name.endswith(".__main__"):
            # It runs as ``python -m`` has it, not as something that was imported.
            sys.modules.pop(name, None)
    # No collection of a forked process need look at what was imported, and copy its pages.
    gc.freeze()


def _become(request: Request) -> None:
    os.setsid()
    request.take_descriptors()
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.module, *request.arguments]
    setproctitle.setproctitle(" ".join([sys.executable, "-m", *sys.argv]))
    gc.enable()
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def main() -> None:
    setproctitle.setproctitle(f"{sys.executable} -m emulator.forking")
    gc.disable()
    request = serve(socket.socket(fileno=0))
    if request is not None:
        _become(request)


if __name__ == "__main__":
    main()
