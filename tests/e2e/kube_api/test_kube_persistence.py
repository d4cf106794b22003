"""The API server with --data-dir: killed in mid-write, restarted, and the same to its clients."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from beskar7.api.errors import Expired
from beskar7.api.kinds import CONFIG_MAP
from beskar7.kube.client import KubeClient
from beskar7.kube.reflector import Reflector
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.e2e

MAPS = "/api/v1/namespaces/default/configmaps"
KILLS = 8


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}, "data": data}


def test_what_was_acknowledged_survives_a_kill_in_mid_write(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    """Writers run all the time; the server is killed under them, over and over."""
    data = tmp_path / "data"
    acknowledged: dict[str, tuple[str, int]] = {}
    newest = 0
    runtime = LiveRuntime()
    for turn in range(KILLS):
        server = start_server(tmp_path / "lab", "--data-dir", str(data))
        session = server.session
        listed = session.get(f"{server.url}{MAPS}").json()
        assert int(listed["metadata"]["resourceVersion"]) > newest
        found = {item["metadata"]["name"]: item for item in listed["items"]}
        for name, (value, version) in acknowledged.items():
            item = found[name]
            # A write whose answer was lost may be there too: it is newer, never older.
            assert int(item["metadata"]["resourceVersion"]) >= version
            assert item["data"]["turn"] >= value, name

        def write(number: int, server: Any = server, turn: int = turn) -> None:
            own = server.session
            for step in range(100_000):
                name = f"m-{number}-{step % 5}"
                body = {"apiVersion": "v1", "kind": "ConfigMap"}
                body |= config_map(name, turn=f"{turn:03d}-{step:06d}", fill="x" * 2000)
                try:
                    answer = own.put(f"{server.url}{MAPS}/{name}", json=body)
                    if answer.status_code == 404:
                        answer = own.post(f"{server.url}{MAPS}", json=body)
                except requests.RequestException:
                    return
                assert answer.status_code in (200, 201), answer.text
                meta = answer.json()["metadata"]
                acknowledged[name] = (body["data"]["turn"], int(meta["resourceVersion"]))

        before = len(acknowledged)
        writers = [runtime.spawn(write, number, name=f"writer-{number}") for number in range(3)]
        deadline = time.monotonic() + 20
        while len(acknowledged) < before + (15 if not turn else 0) or not _busy(data, turn):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.communicate()
        for writer in writers:
            assert writer.join(20)
            assert writer.error is None
        newest = max(version for _, version in acknowledged.values())
    assert len(acknowledged) == 15


def _busy(data: Path, turn: int) -> bool:
    """The log of this process has grown; by another measure in each turn."""
    return sum(path.stat().st_size for path in data.glob("state-*.log")) > 200_000 + turn * 7_919


def test_clients_carry_on_over_a_restart(start_server: Callable[..., Any], tmp_path: Path) -> None:
    """CA, token, port: a client that loaded its kubeconfig before does not notice."""
    options = (tmp_path / "lab", "--data-dir", str(tmp_path / "data"))
    server = start_server(*options)
    kube = KubeClient.from_kubeconfig(server.directory / "kubeconfig", user_agent="t/1")
    runtime = LiveRuntime()
    made = kube.create(CONFIG_MAP, config_map("kept", a="1"))
    reflector = Reflector(kube, runtime, CONFIG_MAP, "default")
    reflector.start()
    assert reflector.wait_synced(10)
    secrets = {path: path.read_bytes() for path in server.directory.iterdir() if path.is_file()}
    server.process.kill()
    server.process.communicate()
    again = start_server(*options)
    assert again.url == server.url
    assert {path: path.read_bytes() for path in secrets} == secrets
    for name in ("token", "apiserver.key", "kubeconfig"):
        assert (server.directory / name).stat().st_mode & 0o777 == 0o600
    assert kube.get(CONFIG_MAP, "default", "kept") == made
    version = made["metadata"]["resourceVersion"]
    watch = iter(kube.watch(CONFIG_MAP, "default", resource_version=version, timeout=5))
    with pytest.raises(Expired):
        next(watch)
    kube.create(CONFIG_MAP, config_map("new"))
    deadline = time.monotonic() + 15
    while reflector.cache.get("default", "new") is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert reflector.cache.get("default", "kept") is not None
    reflector.stop()


def test_a_certificate_that_others_could_read_the_key_of_is_made_anew(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    first = start_server(tmp_path)
    authority, token = (tmp_path / "ca.crt").read_bytes(), first.token
    first.process.communicate()
    (tmp_path / "apiserver.key").chmod(0o644)
    (tmp_path / "token").chmod(0o644)
    again = start_server(tmp_path)
    assert (tmp_path / "ca.crt").read_bytes() != authority
    assert again.token != token
    assert again.session.get(f"{again.url}{MAPS}").status_code == 200


def test_a_directory_that_cannot_be_used_is_told_in_one_line(
    start_server: Callable[..., Any], spawn_server: Callable[..., Any], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    start_server(tmp_path / "lab", "--data-dir", str(data))
    for directory, said in (
        (data, f"emulator.kube: --data-dir: {data}: another server has it open\n"),
        (Path("/dev/null/x"), "emulator.kube: --data-dir: /dev/null/x: Not a directory\n"),
    ):
        process = spawn_server("--dir", str(tmp_path / "b"), "--data-dir", str(directory))
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 2
        assert errors == said


def test_every_write_on_the_disk_before_its_answer(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server(tmp_path / "lab", "--data-dir", str(tmp_path / "d"), "--fsync=always")
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("a")}
    assert server.session.post(f"{server.url}{MAPS}", json=body).status_code == 201
    log = next((tmp_path / "d").glob("state-*.log")).read_bytes()
    assert json.dumps("a").encode() in log
