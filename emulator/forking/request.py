"""What the server that forks is asked for: a module to run, where, and with which descriptors."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

PRELOADS = {
    "emulator.kube": ("emulator.kube.__main__", "uvloop"),
    "emulator.bmc": ("emulator.bmc.__main__", "uvloop"),
    "beskar7": ("beskar7.cli", "beskar7.process"),
}
"""The modules whose processes are forked, and what is to be imported before, in this order."""


@dataclass(frozen=True, slots=True)
class Request:
    """One process to be. ``descriptors`` become its standard input, output and error.

    ``answers`` gets two messages: its number, with a descriptor for it, and its exit code.
    """

    module: str
    arguments: list[str]
    directory: str
    environment: Mapping[str, str]
    descriptors: tuple[int, int, int]
    answers: socket.socket

    def take_descriptors(self) -> None:
        """In the new process: as its own."""
        self.answers.close()
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
        self.close_descriptors()

    def close_descriptors(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


def send(control: socket.socket, request: Request) -> None:
    """Raises OSError when nobody serves."""
    reading, writing = os.pipe()
    try:
        descriptors = [*request.descriptors, request.answers.fileno(), reading]
        socket.send_fds(control, [b"fork"], descriptors)
    finally:
        os.close(reading)
    # By a pipe, as an environment may be longer than a message.
    words = {
        "module": request.module,
        "arguments": request.arguments,
        "directory": request.directory,
        "environment": dict(request.environment),
    }
    with os.fdopen(writing, "w", encoding="utf-8", errors="surrogateescape") as pipe:
        json.dump(words, pipe)


def receive(control: socket.socket) -> Request | None:
    """The next one; None when there will be none."""
    message, descriptors, _, _ = socket.recv_fds(control, 16, 5)
    if not message:
        return None
    stdin, stdout, stderr, answers, reading = descriptors
    with os.fdopen(reading, encoding="utf-8", errors="surrogateescape") as pipe:
        words = json.load(pipe)
    return Request(
        module=words["module"],
        arguments=words["arguments"],
        directory=words["directory"],
        environment=words["environment"],
        descriptors=(stdin, stdout, stderr),
        answers=socket.socket(fileno=answers),
    )
