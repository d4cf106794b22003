"""``python -m emulator.kube``: the API server as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from beskar7.runtime import LiveRuntime
from emulator.kube.certs import make_certificates
from emulator.kube.files import write_private
from emulator.kube.kubeconfig import write_kubeconfig
from emulator.kube.server import HOST, Api, Serving
from emulator.kube.world import BadDefinition, furnish

BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or the end of stdin; the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        _run(options)
    except BadDefinition as error:
        return _fail(f"a CustomResourceDefinition cannot be used: {error}")
    except OSError as error:
        where = f"{HOST}:{options.port}" if error.filename is None else error.filename
        return _fail(f"cannot use {where}: {error.strerror or error}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emulator.kube", description="The lab's Kubernetes API server."
    )
    parser.add_argument(
        "--dir", type=Path, required=True, help="where kubeconfig, token and ca.crt are written"
    )
    parser.add_argument("--port", type=_port, default=0, help="0 (default): any free port")
    parser.add_argument(
        "--crds", type=Path, action="append", help="YAML file of CRDs instead of Beskar7's own"
    )
    parser.add_argument("--no-tls", action="store_true", help="plain HTTP, for benchmarks")
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="end when stdin reaches its end"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def _fail(message: str) -> int:
    print(f"emulator.kube: {message}", file=sys.stderr)  # noqa: T201 - for the person who starts it
    return BAD_INPUT


def _calm_collector() -> None:
    """The store keeps tens of thousands of live objects and makes no cycles of them.

    With CPython's default thresholds each full collection walks all of them, over and over.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1_000)


def _run(options: argparse.Namespace) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(options))
    else:
        uvloop.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    runtime = LiveRuntime()
    directory: Path = options.dir
    directory.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    certificates = None if options.no_tls else make_certificates(directory, runtime.wall())
    store, collector = furnish(runtime, crds=options.crds)
    api = Api(store, collector, token=token)
    ending = asyncio.Event()
    _calm_collector()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    tls = certificates.server_context() if certificates else None
    async with Serving(api, port=options.port, tls=tls) as serving:
        kubeconfig = directory / "kubeconfig"
        write_private(directory / "token", token.encode())
        authority = certificates.authority if certificates else None
        write_kubeconfig(kubeconfig, serving.url, token, authority)
        if options.exit_with_stdin:
            await _watch_stdin(loop, ending)
        ready = {"ready": True, "url": serving.url, "kubeconfig": str(kubeconfig.resolve())}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await ending.wait()


class _UntilEof(asyncio.Protocol):
    def __init__(self, ending: asyncio.Event) -> None:
        self._ending = ending

    def eof_received(self) -> None:
        self._ending.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending.set()


async def _watch_stdin(loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    try:
        await loop.connect_read_pipe(lambda: _UntilEof(ending), sys.stdin)
    except (ValueError, OSError):
        # A regular file or a closed descriptor: nobody holds the other end.
        ending.set()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
