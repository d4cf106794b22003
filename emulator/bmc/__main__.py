"""``python -m emulator.bmc``: a fleet as a process.

One JSON line on stdout says that it serves and where; everything else goes to stderr.
Exit codes: 0 after SIGTERM, SIGINT or the end of stdin, 1 when a shard died, 2 for what the caller
has to mend.
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
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from beskar7.runtime import LiveRuntime
from emulator.bmc import control, shardfront, tls
from emulator.bmc.arguments import arguments
from emulator.bmc.control import Control
from emulator.bmc.delivery import Delivery
from emulator.bmc.fleet import Fleet
from emulator.bmc.gate import Contexts
from emulator.bmc.listen import Listening, listen, listen_in_shards, shard_of
from emulator.bmc.metrics import Counts
from emulator.bmc.saturation import Saturation
from emulator.bmc.server import FleetServer
from emulator.bmc.shardfront import Front
from emulator.bmc.shards import Shard, Watch
from emulator.bmc.shards import start as start_shards
from emulator.bmc.spec import Credentials, FleetSpec, HostSpec, load_token
from emulator.fields import FieldError


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    logging.basicConfig(
        level=args.log_level, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s"
    )
    with tempfile.TemporaryDirectory(prefix="beskar7-fleet-") as scratch:
        try:
            world = _prepare(args, args.tls_dir or Path(scratch))
            if args.shards > 1:
                return _serve_shards(world, args)
        except (FieldError, OSError) as bad:
            sys.stderr.write(f"emulator.bmc: {bad}\n")
            return 2
        _run(_serve(world, args.exit_with_stdin))
    return 0


@dataclass(frozen=True, slots=True)
class _World:
    """What is ready to be served; of a fleet in shards, ``fleet`` and ``listening`` are a shard's.

    In the parent of shards ``fleet`` has no BMC, and only checks the spec.
    """

    fleet: Fleet
    listening: Listening
    control: socket.socket
    token: str
    tls: Contexts | None
    ca: Path | None
    credentials: Credentials
    shards: list[Listening]
    """Of a fleet in shards, the sockets of each."""


def _prepare(args: argparse.Namespace, directory: Path) -> _World:
    """Raises FieldError or OSError for what the caller has to mend."""
    spec = FleetSpec.load(args.spec)
    credentials = Credentials.load(args.credentials)
    token = load_token(args.token_file)
    addresses = [host.address for host in spec.hosts]
    split = args.shards > 1
    if split:
        _refuse_counts(spec)
    fleet = _fleet(spec, credentials, args, lambda _: not split)
    parts = listen_in_shards(addresses, spec.port, args.shards) if split else []
    listening = parts[0] if split else listen(addresses, spec.port)
    control = listen(["127.0.0.1"], args.control_port, wildcard=False).sockets[0]
    context: Contexts | None = None
    ca: Path | None = None
    if spec.tls:
        names = sorted({where.partition(":")[0] for where in listening.authorities.values()})
        context, ca = tls.make(directory, names, fleet.runtime.wall())
    return _World(fleet, listening, control, token, context, ca, credentials, parts)


def _fleet(
    spec: FleetSpec,
    credentials: Credentials,
    args: argparse.Namespace,
    serves: Callable[[HostSpec], bool],
) -> Fleet:
    fleet = Fleet(spec, LiveRuntime(spec.seed), credentials, serves=serves)
    fleet.service.keeps = not args.no_cache
    return fleet


def _refuse_counts(spec: FleetSpec) -> None:
    for fault in spec.faults:
        if any(part.count is not None for part in (fault, *fault.symptoms)):
            raise FieldError(
                f"spec.faults: {fault.id!r} has a count, which a fleet in shards cannot keep; "
                "leave it out, or start the fleet with one shard"
            )


def _serve_shards(world: _World, args: argparse.Namespace) -> int:
    """The exit code. Raises ``OSError``."""
    spec, count = world.fleet.spec, len(world.shards)
    hosts = Counter(shard_of(host.address, count) for host in spec.hosts)

    def serve(
        index: int, listening: Listening, control: socket.socket, ready: int, parent: int
    ) -> None:
        fleet = _fleet(spec, world.credentials, args, lambda h: shard_of(h.address, count) == index)
        mine = replace(world, fleet=fleet, listening=listening, control=control)

        def say() -> None:
            os.write(ready, b"r")

        _run(_serve(mine, parent, index, say))

    shards, hold = start_shards(world.shards, [hosts[i] for i in range(count)], serve)
    try:
        lost: list[str] = []
        _run(_front(world, shards, args.exit_with_stdin, lost))
    finally:
        os.close(hold)
    for what in lost:
        sys.stderr.write(f"emulator.bmc: {what}\n")
    return 1 if lost else 0


def _run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop where there is one: a third more requests a second."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def _serve(
    world: _World,
    until: bool | int,
    shard: int = 0,
    ready: Callable[[], None] | None = None,
) -> None:
    """``until``: whether the end of stdin, or the end of which pipe, is an end beside signals."""
    stop = _stop_on(signal.SIGTERM, signal.SIGINT) if ready is None else _stop_on(signal.SIGTERM)
    server = FleetServer(world.fleet, world.listening)
    saturation = Saturation(world.fleet.runtime)
    counts = Counts()
    world.fleet.observe = counts.add
    await server.start(world.tls)
    endpoint = Control(server, saturation, counts, shard)
    runner = await _listen(control.application(endpoint, world.token), world.control)
    saturation.start()
    delivery = Delivery(world.fleet)
    delivery.start()
    if until is not False:
        await _watch_pipe(sys.stdin.fileno() if until is True else until, stop.set)
    if ready is None:
        _announce(world, [os.getpid()])
    else:
        ready()
    try:
        await stop.wait()
    finally:
        saturation.stop()
        await delivery.stop()
        await server.stop()
        await runner.cleanup()


async def _front(
    world: _World, shards: list[Shard], exit_with_stdin: bool, lost: list[str]
) -> None:
    """The parent of shards; ``lost`` gets the words for a shard that ended unasked."""
    stop = _stop_on(signal.SIGTERM, signal.SIGINT)

    def end(what: str) -> None:
        lost.append(what)
        stop.set()

    watch = Watch(shards, end)
    front = Front([shard.control for shard in shards], world.token)
    runner = await _listen(shardfront.application(front, world.token), world.control)
    try:
        await watch.ready()
        if exit_with_stdin:
            await _watch_pipe(sys.stdin.fileno(), stop.set)
        if not lost:
            front.start()
            _announce(world, [shard.pid for shard in shards])
        await stop.wait()
    finally:
        await front.stop()
        await runner.cleanup()
        await watch.stop()


async def _listen(application: web.Application, sock: socket.socket) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    return runner


def _stop_on(*signals: signal.Signals) -> asyncio.Event:
    stop = asyncio.Event()
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _announce(world: _World, pids: list[int]) -> None:
    """Say, once and on one line, that the fleet serves and where; ``pids`` serve its BMCs."""
    scheme = "https" if world.tls else "http"
    authorities = world.listening.authorities
    ready: dict[str, object] = {
        "ready": True,
        "port": world.listening.port,
        "control": f"http://127.0.0.1:{world.control.getsockname()[1]}",
        "tls": world.tls is not None,
        "pids": pids,
        "addresses": {
            host.name: f"{scheme}://{authorities[host.address]}" for host in world.fleet.spec.hosts
        },
    }
    if world.ca is not None:
        ready["ca"] = str(world.ca)
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


async def _watch_pipe(descriptor: int, ended: Callable[[], None]) -> None:
    """Call back at its end, so that nothing outlives whoever holds the other end."""

    class Watcher(asyncio.Protocol):
        def connection_lost(self, exc: BaseException | None) -> None:
            ended()

    try:
        pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        await asyncio.get_running_loop().connect_read_pipe(Watcher, pipe)
    except (OSError, ValueError):
        # Neither pipe nor socket nor terminal (a file, /dev/null): its end is now.
        ended()


if __name__ == "__main__":
    sys.exit(main())
