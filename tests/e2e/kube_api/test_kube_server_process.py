"""The server as a process: ready line, files, port in use, every way to end it."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

pytestmark = pytest.mark.e2e


def free_of_listeners(url: str) -> bool:
    host, port = url.rpartition("/")[2].split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


def test_files_are_private_and_the_kubeconfig_is_whole(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path / "lab")
    for name in ("kubeconfig", "token", "apiserver.key"):
        mode = stat.S_IMODE((tmp_path / "lab" / name).stat().st_mode)
        assert mode == 0o600, name
    found = yaml.safe_load((tmp_path / "lab" / "kubeconfig").read_text())
    assert found["current-context"] == "beskar7-lab"
    assert found["clusters"][0]["cluster"]["server"] == server.url
    assert found["users"][0]["user"]["token"] == server.token
    assert server.url.startswith("https://127.0.0.1:")
    assert server.session.get(f"{server.url}/api/v1/namespaces").status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.url}/healthz")  # not signed by an authority of the system
    server.process.communicate(timeout=20)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stdin"])
def test_it_ends_cleanly_with_watches_open(start_server: Any, tmp_path: Path, how: str) -> None:
    server = start_server(tmp_path, "--no-tls")
    watch = server.session.get(
        f"{server.url}/api/v1/configmaps", params={"watch": "1"}, stream=True, timeout=20
    )
    assert watch.status_code == 200
    if how != "stdin":
        server.process.send_signal(getattr(signal, how))
    _, errors = server.process.communicate(timeout=20)
    assert server.process.returncode == 0
    assert "Traceback" not in errors
    assert list(watch.iter_lines()) == []  # the stream was ended, not cut
    assert free_of_listeners(server.url)


def test_a_port_in_use_is_one_line_and_exit_code_2(spawn_server: Any, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = spawn_server("--dir", str(tmp_path), "--port", str(port))
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert output == ""
    assert f"127.0.0.1:{port}" in errors
    assert "in use" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "70000"),
        ([], "--dir"),
        (["--dir", "/proc/nowhere"], "/proc/nowhere"),
        (["--dir", "{tmp}", "--crds", "{tmp}/absent.yaml"], "absent.yaml"),
    ],
)
def test_bad_options_are_told_without_a_traceback(
    spawn_server: Any, tmp_path: Path, arguments: list[str], words: str
) -> None:
    process = spawn_server(*(each.format(tmp=tmp_path) for each in arguments))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert words in errors
    assert "Traceback" not in errors


def test_the_token_is_in_no_output(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    token = server.token
    arguments = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    wrong = requests.get(
        f"{server.url}/api/v1/secrets",
        headers={"Authorization": "Bearer wrong"},
        verify=str(tmp_path / "ca.crt"),
    )
    output, errors = server.process.communicate(timeout=20)
    assert wrong.status_code == 401
    for said in (arguments, output, errors, wrong.text):
        assert token not in said
