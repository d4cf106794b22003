"""The commands as a person types them: mistakes, Ctrl-C, and nothing left behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def beskar7(*args: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "beskar7", *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(options.pop("tmp", "/tmp"))},
        **options,
    )


def processes_of(directory: Path) -> list[str]:
    """Command lines of living processes that name the directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in line:
            found.append(line)
    return found


def test_the_manager_says_what_is_wrong_with_its_flags_and_files(tmp_path):
    for args, said in (
        (["--kubeconfig", str(tmp_path / "nowhere")], "nowhere"),
        (["--leader-elect-lease-duration", "5"], "10s"),
        (["--max-concurrent-reconciles", "0"], "1 to 50"),
    ):
        process = beskar7("manager", *args)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 2, err
        assert said in err
        assert "Traceback" not in err
        assert out == ""


def test_a_port_in_use_is_told_in_a_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = beskar7("up", "--port", port, tmp=tmp_path)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert port in err
    assert "Traceback" not in err
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_mid_run_ends_everything_and_keeps_what_was_seen(tmp_path, number):
    report = tmp_path / "report"
    process = beskar7("run", "smoke", "--report", str(report), tmp=tmp_path)
    for line in process.stderr:
        if "the load begins" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert json.loads((report / "result.json").read_text())["passed"] is False
    assert processes_of(tmp_path) == []


def test_up_serves_until_stdin_ends_and_survives_nothing(tmp_path):
    (tmp_path / "scratch").mkdir()
    args = ("--hosts", "2", "--managers", "1", "--dir", "lab", "--json")
    process = beskar7("up", *args, tmp=tmp_path / "scratch", cwd=tmp_path)
    ready = json.loads(process.stdout.readline())
    assert ready["ready"] is True
    assert Path(ready["kubeconfig"]).parent == tmp_path / "lab"
    assert Path(ready["kubeconfig"]).stat().st_mode & 0o777 == 0o600
    assert len(processes_of(tmp_path)) >= 2
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    assert processes_of(tmp_path) == []


def test_a_killed_lab_takes_its_children_with_it(tmp_path):
    process = beskar7("up", "--hosts", "2", "--managers", "1", "--json", tmp=tmp_path)
    process.stdout.readline()
    children = [
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path).encode() in entry.read_bytes()
    ]
    assert children
    process.kill()
    process.wait()
    for pid in children:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([descriptor], [], [], 20)
            assert ready, f"process {pid} outlived its lab"
        finally:
            os.close(descriptor)
