"""Processes of a lab that are forked: they are what ``python -m`` makes, and cost no imports."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beskar7.runtime import LiveRuntime
from beskar7_harness.lab import open_lab
from emulator.forking import client
from emulator.forking.client import UNKNOWN, ForkedProcess, ForkServer
from emulator.processes import Child, ChildError

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only"),
]
PROBE = """
import gc, json, os, random, signal, stat, sys, threading

def kind(number):
    return stat.S_IFMT(os.fstat(number).st_mode)

ignored = {signal.SIGKILL, signal.SIGSTOP, 32, 33}
print(json.dumps({
    "arguments": sys.argv, "name": __name__, "path": sys.path, "collects": gc.isenabled(),
    "main": sys.modules["__main__"].__dict__ is globals(), "directory": os.getcwd(),
    "environment": dict(os.environ), "leads": os.getpid() == os.getsid(0),
    "signals": [str(signal.getsignal(n)) for n in range(1, 65) if n not in ignored],
    "descriptors": {n: kind(n) for n in map(int, os.listdir("/proc/self/fd")) if n < 3},
    "others": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    "title": open("/proc/self/cmdline").read().replace(chr(0), " ").strip(),
    "umask": os.umask(0o77), "random": random.random(), "pid": os.getpid(),
}), flush=True)
for line in sys.stdin:
    sys.exit(int(line))
"""
HEARS = """
import os, sys

def heard(event, args):
    if event in ("import", "os.fork"):
        file = os.open({path!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{{os.getpid()}} {{args[0] if args else 'FORK'}}\\n".encode())
        os.close(file)

if "emulator.forking" in sys.orig_argv:
    sys.addaudithook(heard)
"""
"""What a server and the processes that it forks import, from before it imports the first one."""
SMALL = {*sys.stdlib_module_names, "cryptography"}
"""What may be imported late: the library's own, and a binding of a millisecond."""
OWNER = """
import sys
from emulator.forking import client
client.prepare()
print(client._servers.current._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests that kill this process's server, or want another one: the old is left alone."""
    servers = client._Servers()
    monkeypatch.setattr(client, "_servers", servers)
    yield
    if servers.current is not None:
        servers.current.close()


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Starts a program that tells what it is, and ends with the code that it is told."""
    (tmp_path / "probe.py").write_text(PROBE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = ForkServer()
    with (tmp_path / "log").open("wb") as log:

        def start(*arguments: str) -> ForkedProcess:
            return server.fork(["probe", *arguments], log.fileno(), dict(os.environ))

        yield start
    server.close()


def told(process: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def finish(process: ForkedProcess, code: int) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"%d\n" % code)
    process.stdin.close()
    process.stdout.close()
    return process.wait(30)


def test_a_forked_process_is_what_an_interpreter_of_its_own_would_be(
    probe: Callable[..., ForkedProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = probe("first")
    told(other)
    monkeypatch.setenv("GIVEN", "as \udce4 given" * 9_000)
    monkeypatch.chdir(tmp_path)
    forked = probe("--flag", "a word")
    mine = told(forked)
    with (tmp_path / "log").open("ab") as log:
        executed = subprocess.Popen(
            [sys.executable, "-m", "probe", "--flag", "a word"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # What C code alone has set, as readline does, is not handed on.
            env=dict(os.environ),
            start_new_session=True,
        )
    with executed:
        its = told(executed)
        executed.kill()
    assert mine.pop("pid") == forked.pid != its.pop("pid")
    assert mine.pop("random") != its.pop("random")
    # The first part is the directory that the interpreter was started in.
    assert mine.pop("path")[1:] == its.pop("path")[1:]
    assert mine == its
    assert finish(forked, 3) == 3
    assert forked.poll() == 3
    assert finish(other, 0) == 0


def test_forked_processes_draw_different_numbers(probe: Callable[..., ForkedProcess]) -> None:
    both = [probe(), probe()]
    assert len({told(process)["random"] for process in both}) == 2
    assert [finish(process, 0) for process in both] == [0, 0]


def test_signals_reach_a_forked_process_and_nobody_after_it(
    probe: Callable[..., ForkedProcess],
) -> None:
    process = probe()
    told(process)
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == -signal.SIGTERM
    assert not Path(f"/proc/{process.pid}").exists()
    process.kill()
    killed = probe()
    killed.kill()
    assert killed.wait(30) == -signal.SIGKILL


@pytest.mark.usefixtures("own_server")
def test_who_kills_the_server_kills_no_lab(tmp_path: Path) -> None:
    arguments = ["emulator.kube", "--exit-with-stdin", "--dir", str(tmp_path)]
    first = Child(LiveRuntime(), "first", arguments, tmp_path / "first.log")
    url = first.wait_ready(60)["url"]
    server = client._servers.current
    assert server is not None
    server._process.kill()
    server._process.wait()
    assert first.alive
    second = Child(LiveRuntime(), "second", arguments, tmp_path / "second.log")
    assert second.wait_ready(60)["url"] != url
    assert client._servers.current is not server
    # Nobody can know its code, but its end.
    assert first.stop(20)
    assert first._process.returncode == UNKNOWN
    assert second.stop(20)
    assert second._process.returncode == 0
    wrong = Child(LiveRuntime(), "wrong", [*arguments, "-x"], tmp_path / "wrong.log")
    with pytest.raises(ChildError, match=r"(?s)wrong ended with code 2:.*arguments: -x"):
        wrong.wait_ready(60)


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_a_server_ends_with_whoever_started_it(end: signal.Signals | None) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        descriptor = os.pidfd_open(pid)
        if end:
            owner.send_signal(end)
        else:
            assert owner.stdin is not None
            owner.stdin.close()
        owner.wait()
        # In order: by then it has ended. Killed: as soon as it sees that.
        ready = select.select([descriptor], [], [], 60 if end else 0)[0]
    os.close(descriptor)
    assert ready, "the server outlived its owner"


@pytest.mark.usefixtures("own_server")
def test_a_lab_imports_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "imports"
    (tmp_path / "sitecustomize.py").write_text(HEARS.format(path=str(log)), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    secrets = []
    for _ in range(2):
        with open_lab(hosts=2, managers=2, clock="live") as lab:
            assert lab.managers.leader()
            folder = lab.kubeconfig.parent
            secrets.append({(folder / name).read_bytes() for name in ("token", "ca.crt")})
    server = client._servers.current
    assert server is not None
    pid = str(server._process.pid)
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    assert "\nThreads:\t1\n" in status
    assert not secrets[0] & secrets[1]
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    of_server = [name for process, name in lines if process == pid]
    assert of_server.count("FORK") == 8
    # The API is there before what only the fleet needs is imported, the fleet before managers.
    first, second, third, *_ = [at for at, name in enumerate(of_server) if name == "FORK"]
    assert "emulator.kube.store.store" in of_server[:first]
    assert "emulator.bmc.driver" in of_server[first:second]
    assert "beskar7.manager" in of_server[second:third]
    late = {name.partition(".")[0] for process, name in lines if process != pid}
    assert late - SMALL == set()
