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
from emulator.kube import admission
from emulator.kube.access.authn import BadTokens
from emulator.kube.access.bootstrap import lab_access, write_manager_kubeconfig
from emulator.kube.access.certs import lab_certificates
from emulator.kube.access.kubeconfig import last_port, write_kubeconfig
from emulator.kube.api.server import HOST, Api, Serving
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.store.durable import Keeping
from emulator.kube.store.journal import POLICIES, JournalError
from emulator.kube.workloads.credentials import account_kubeconfigs
from emulator.kube.workloads.service import Workloads
from emulator.kube.world import BadDefinition, furnish
from emulator.privatefiles import kept_secret

BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or the end of stdin; the exit code."""
    options = _parser().parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        _run(options)
    except BadTokens as error:
        return _fail(f"--token-auth-file: {error}")
    except JournalError as error:
        return _fail(f"--data-dir: {error}")
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
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        help="0 (default): any free port; with --data-dir the one of before, if it is free",
    )
    parser.add_argument(
        "--data-dir", type=Path, help="keep all objects here, across restarts and crashes"
    )
    parser.add_argument(
        "--fsync",
        choices=POLICIES,
        default="os",
        help="os (default): what was acknowledged survives a kill of the server; "
        "always: a crash of the machine too, at a few hundred writes a second",
    )
    parser.add_argument("--seed", type=int, help="of the faults' luck (default: any)")
    parser.add_argument(
        "--crds", type=Path, action="append", help="YAML file of CRDs instead of Beskar7's own"
    )
    parser.add_argument(
        "--token-auth-file",
        type=Path,
        metavar="FILE",
        help='more users: lines of token,user,uid,"group1,group2", in a file of mode 0600',
    )
    parser.add_argument(
        "--no-admission",
        action="store_true",
        help="take of Beskar7's kinds all that their schemas allow, as without webhooks",
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
    token = kept_secret(directory / "token", lambda: secrets.token_urlsafe(32))
    certificates = None if options.no_tls else lab_certificates(directory, runtime.wall())
    ending = asyncio.Event()
    keeping = Keeping(options.data_dir, options.fsync, ending.set)
    store, collector = furnish(runtime, crds=options.crds, restore=keeping.attach)
    if not options.no_admission:
        admission.install(store)
    faults = ApiFaults(LiveRuntime(options.seed), store.forget_history)
    access = lab_access(store, directory, token, options.token_auth_file)
    api = Api(store, collector, token=token, faults=faults, access=access)
    _calm_collector()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    tls = certificates.server_context() if certificates else None
    kubeconfig = directory / "kubeconfig"
    port = options.port or (last_port(kubeconfig) if options.data_dir else 0)
    async with keeping, Serving(api, port=port, tls=tls) as serving:
        authority = certificates.authority if certificates else None
        write_kubeconfig(kubeconfig, serving.url, token, authority)
        write_manager_kubeconfig(access, directory, serving.url, authority)
        credentials = account_kubeconfigs(access.authenticator, serving.url, authority)
        api.workloads = Workloads(store, directory / "pods", credentials, faults=faults)
        api.workloads.start()
        if options.exit_with_stdin:
            await _watch_stdin(loop, ending)
        ready = {"ready": True, "url": serving.url, "kubeconfig": str(kubeconfig.resolve())}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await ending.wait()
        # While the API still serves: a manager gives its leases back as it ends.
        await api.workloads.stop()


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
