"""``exec`` over WebSocket: ``v5.channel.k8s.io`` and ``v4.channel.k8s.io``.

Each message begins with the number of its channel: 0 stdin, 1 stdout, 2 stderr, 3 the final
Status, 4 the terminal's size; in v5 also 255, which closes the channel that it names.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from beskar7.api.errors import ApiError, BadRequest, InternalError

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
_CHUNK = 32 * 1024
_MAX_MESSAGE = 1024 * 1024
_HEARTBEAT = 30.0
_AFTER_END = 1.0
"""Seconds for what is left in the pipes once the command has ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and which of its streams the client wants."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


def success() -> dict[str, Any]:
    return {"metadata": {}, "status": "Success"}


def exit_status(code: int) -> dict[str, Any]:
    """The Status of a command that ended; kubectl takes its own exit code out of it."""
    if code == 0:
        return success()
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def not_found(program: str) -> dict[str, Any]:
    """The Status for a program that the host does not have."""
    words = (
        "Internal error occurred: error executing command in container: failed to exec in "
        f'container: exec: "{program}": executable file not found in $PATH'
    )
    return InternalError(words).status()


async def serve(request: web.BaseRequest, command: Command) -> web.StreamResponse:
    """Raises :class:`BadRequest` for a request that is no WebSocket of a known protocol."""
    socket = web.WebSocketResponse(
        protocols=PROTOCOLS, max_msg_size=_MAX_MESSAGE, heartbeat=_HEARTBEAT, compress=False
    )
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise BadRequest(
            "exec is served over WebSocket only (kubectl 1.31 and later use it by themselves)"
        )
    if not {each.strip() for each in offered.split(",")} & set(PROTOCOLS):
        raise BadRequest(f"exec needs one of the protocols {', '.join(PROTOCOLS)}")
    await socket.prepare(request)
    try:
        status = await _Session(socket, command).run()
        with contextlib.suppress(ConnectionError, RuntimeError):
            await socket.send_bytes(bytes([ERROR]) + orjson.dumps(status))
    finally:
        await socket.close()
    return socket


class _Session:
    def __init__(self, socket: web.WebSocketResponse, command: Command) -> None:
        self._socket = socket
        self._command = command
        self._terminal = -1
        self._stdin: asyncio.StreamWriter | None = None

    async def run(self) -> dict[str, Any]:
        """Until the command ends, or the client goes, which ends the command; its Status."""
        command = self._command
        program = shutil.which(command.argv[0], path=command.environment.get("PATH"))
        if program is None:
            return not_found(command.argv[0])
        try:
            process = await self._start(program)
        except (OSError, ValueError) as error:
            return InternalError(f"Internal error occurred: {error}").status()
        try:
            return await self._attend(process)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            if self._terminal >= 0:
                os.close(self._terminal)

    async def _start(self, program: str) -> asyncio.subprocess.Process:
        command = self._command
        options: dict[str, Any] = {
            "cwd": command.directory,
            "env": dict(command.environment),
            "start_new_session": True,
        }
        arguments = (program, *command.argv[1:])
        if not command.tty:
            pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=pipe if command.stdin else null,
                stdout=pipe if command.stdout else null,
                stderr=pipe if command.stderr else null,
                **options,
            )
            self._stdin = process.stdin
            return process
        self._terminal, inner = pty.openpty()
        options["env"].setdefault("TERM", "xterm")
        try:
            return await asyncio.create_subprocess_exec(
                *arguments, stdin=inner, stdout=inner, stderr=inner, **options
            )
        finally:
            os.close(inner)

    async def _attend(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        outputs = []
        if self._terminal >= 0:
            os.set_blocking(self._terminal, False)
            outputs.append(asyncio.create_task(self._from_terminal()))
        for channel, reader in ((STDOUT, process.stdout), (STDERR, process.stderr)):
            if reader is not None:
                outputs.append(asyncio.create_task(self._pump(channel, reader)))
        receiving = asyncio.create_task(self._receive())
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                # The client is gone, or broke the protocol: so does its command end.
                error = receiving.exception()
                return error.status() if isinstance(error, ApiError) else success()
            if outputs:
                await asyncio.wait(outputs, timeout=_AFTER_END)
            code = ending.result()
            return exit_status(code if code >= 0 else 128 - code)
        finally:
            for task in (*outputs, receiving, ending):
                task.cancel()

    async def _pump(self, channel: int, reader: asyncio.StreamReader) -> None:
        head = bytes([channel])
        while data := await reader.read(_CHUNK):
            await self._socket.send_bytes(head + data)

    async def _from_terminal(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._terminal, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                try:
                    data = os.read(self._terminal, _CHUNK)
                except BlockingIOError:
                    continue
                except OSError:
                    return  # the other side is closed
                if not data:
                    return
                await self._socket.send_bytes(bytes([STDOUT]) + data)
        finally:
            loop.remove_reader(self._terminal)

    async def _receive(self) -> None:
        """What the client sends, until it goes away. Raises :class:`BadRequest`."""
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                data = message.data.encode()
            elif message.type is WSMsgType.BINARY:
                data = message.data
            else:
                return
            if not data:
                continue
            channel, rest = data[0], data[1:]
            if channel == STDIN and rest:
                await self._write(rest)
            elif channel == RESIZE:
                self._resize(rest)
            elif channel == CLOSE and rest[:1] == bytes([STDIN]) and self._stdin is not None:
                self._stdin.close()

    async def _write(self, data: bytes) -> None:
        try:
            if self._terminal >= 0:
                while data:
                    try:
                        data = data[os.write(self._terminal, data) :]
                    except BlockingIOError:
                        await asyncio.sleep(0.01)
            elif self._stdin is not None and not self._stdin.is_closing():
                self._stdin.write(data)
                await self._stdin.drain()
        except OSError:
            pass  # the command reads no more

    def _resize(self, data: bytes) -> None:
        try:
            size = orjson.loads(data)
            rows, columns = int(size["Height"]), int(size["Width"])
            packed = struct.pack("HHHH", rows, columns, 0, 0)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, struct.error):
            return
        if self._terminal >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, packed)


def command(
    argv: Sequence[str], flags: Mapping[str, bool], environment: Mapping[str, str], directory: Path
) -> Command:
    """``flags`` are stdin, stdout, stderr and tty. Raises :class:`BadRequest`."""
    if not argv:
        raise BadRequest("you must specify at least 1 command argument")
    if not any(flags[name] for name in ("stdin", "stdout", "stderr")):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    return Command(
        tuple(argv),
        environment,
        directory,
        stdin=flags["stdin"],
        stdout=flags["stdout"],
        stderr=flags["stderr"] and not flags["tty"],  # a terminal has but one output
        tty=flags["tty"],
    )
