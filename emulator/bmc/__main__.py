"""``python -m emulator.bmc``: a fleet as a process.

One JSON line on stdout says that it serves and where; everything else goes to stderr.
Exit codes: 0 after SIGTERM, SIGINT or the end of stdin, 2 for what the caller has to mend.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from beskar7.runtime import LiveRuntime
from emulator.bmc import control, tls
from emulator.bmc.delivery import Delivery
from emulator.bmc.fleet import Fleet
from emulator.bmc.listen import Listening, listen
from emulator.bmc.saturation import Saturation
from emulator.bmc.server import FleetServer
from emulator.bmc.spec import Credentials, FleetSpec, load_token
from emulator.fields import FieldError


def main(argv: list[str] | None = None) -> int:
    args = _arguments(argv)
    logging.basicConfig(
        level=args.log_level, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s"
    )
    with tempfile.TemporaryDirectory(prefix="beskar7-fleet-") as scratch:
        try:
            world = _prepare(args, args.tls_dir or Path(scratch))
        except (FieldError, OSError) as bad:
            sys.stderr.write(f"emulator.bmc: {bad}\n")
            return 2
        _run(_serve(world, args.exit_with_stdin))
    return 0


@dataclass(frozen=True, slots=True)
class _World:
    """What is ready to be served."""

    fleet: Fleet
    listening: Listening
    control: socket.socket
    token: str
    tls: ssl.SSLContext | None
    ca: Path | None


def _prepare(args: argparse.Namespace, directory: Path) -> _World:
    """Raises FieldError or OSError for what the caller has to mend."""
    spec = FleetSpec.load(args.spec)
    credentials = Credentials.load(args.credentials)
    token = load_token(args.token_file)
    fleet = Fleet(spec, LiveRuntime(spec.seed), credentials)
    fleet.service.keeps = not args.no_cache
    listening = listen([host.address for host in spec.hosts], spec.port)
    control = listen(["127.0.0.1"], args.control_port, wildcard=False).sockets[0]
    context: ssl.SSLContext | None = None
    ca: Path | None = None
    if spec.tls:
        names = sorted({where.partition(":")[0] for where in listening.authorities.values()})
        context, ca = tls.make(directory, names, fleet.runtime.wall())
    return _World(fleet, listening, control, token, context, ca)


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) > 65_535:
        raise argparse.ArgumentTypeError(f"must be 0 to 65535, not {value!r}")
    return int(value)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulator.bmc", description="Serve a fleet of emulated BMCs."
    )
    parser.add_argument("--spec", type=Path, required=True, help="the fleet: JSON")
    parser.add_argument(
        "--credentials", type=Path, required=True, help="JSON, mode 0600: username and password"
    )
    parser.add_argument(
        "--token-file", type=Path, required=True, help="mode 0600: the control endpoint's token"
    )
    parser.add_argument("--control-port", type=_port, default=0, help="0: any that is free")
    parser.add_argument(
        "--tls-dir", type=Path, help="where ca.crt, tls.crt and tls.key go (default: scratch)"
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="render every answer anew (to measure that)"
    )
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="end when stdin reaches its end"
    )
    parser.add_argument(
        "--log-level", default="WARNING", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )
    return parser.parse_args(argv)


def _run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop where there is one: a third more requests a second."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def _serve(world: _World, exit_with_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = FleetServer(world.fleet, world.listening)
    saturation = Saturation(world.fleet.runtime)
    await server.start(world.tls)
    runner = web.AppRunner(
        control.application(server, saturation, world.token), access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    await web.SockSite(runner, world.control).start()
    saturation.start()
    delivery = Delivery(world.fleet)
    delivery.start()
    if exit_with_stdin:
        await _watch_stdin(stop.set)
    _announce(world)
    try:
        await stop.wait()
    finally:
        saturation.stop()
        await delivery.stop()
        await server.stop()
        await runner.cleanup()


def _announce(world: _World) -> None:
    """Say, once and on one line, that the fleet serves and where."""
    scheme = "https" if world.tls else "http"
    authorities = world.listening.authorities
    ready: dict[str, object] = {
        "ready": True,
        "port": world.listening.port,
        "control": f"http://127.0.0.1:{world.control.getsockname()[1]}",
        "tls": world.tls is not None,
        "addresses": {
            name: f"{scheme}://{authorities[bmc.spec.address]}"
            for name, bmc in world.fleet.bmcs.items()
        },
    }
    if world.ca is not None:
        ready["ca"] = str(world.ca)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


async def _watch_stdin(ended: Callable[[], None]) -> None:
    """Call back at the end of stdin, so that nothing outlives whoever started it."""

    class Watcher(asyncio.Protocol):
        def connection_lost(self, exc: BaseException | None) -> None:
            ended()

    try:
        pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        await asyncio.get_running_loop().connect_read_pipe(Watcher, pipe)
    except (OSError, ValueError):
        # Neither pipe nor socket nor terminal (a file, /dev/null): its end is now.
        ended()


if __name__ == "__main__":
    sys.exit(main())
