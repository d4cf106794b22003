"""``beskar7 rehearse``: an operator sits before a lab that breaks, and repairs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beskar7.kube.client import KubeClient
from beskar7.runtime import LiveRuntime
from scenarios.engine.rehearsal.kubectl_child import KubectlChild, installed
from scenarios.engine.rehearsal.kubectl_line import read_kubectl
from scenarios.engine.rehearsal.kubectl_play import perform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

REPOSITORY = Path(__file__).parents[3]
SCENARIO = """\
name: drained
guide: 2. Provisioning Queue Issues
world:
  hosts: {count: 4, scale: {boot: 0.005, latency: 0.05}}
  managers: {replicas: 1}
  config: {provisioning.bmcCooldownPeriod: 1s, provisioning.maxConcurrentOps: "5"}
load: {machines: 1}
faults:
  - {id: rack-switch, kind: hang, select: {hosts: [host-003]}}
rehearsal:
  cause:
    - at: 0s
      kubectl: >-
        patch configmap beskar7-config -n beskar7-system
        -p '{"data":{"provisioning.maxConcurrentOps":"0"}}'
    - {at: 1s, create_machines: {count: 3}}
  symptom:
    - {doctor: queue-drained, within: 60s}
    - {hosts: Provisioning, min: 2, within: 60s}
  remedy:
    - {clear_fault: {id: rack-switch}}
    - kubectl: >-
        patch configmap beskar7-config -n beskar7-system
        -p '{"data":{"provisioning.maxConcurrentOps":"5"}}'
  recovery:
    - {machines: Provisioned, min: 4, within: 60s}
  hints: [Somebody has closed a door., Look at provisioning.maxConcurrentOps.]
"""
OPEN = (
    "patch configmap beskar7-config -n beskar7-system "
    """-p '{"data":{"provisioning.maxConcurrentOps":"5"}}'"""
)


class Screen:
    """The command, and what it says line by line; ``say`` types."""

    def __init__(self, path: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "beskar7", "rehearse", str(path), *options],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._come = threading.Condition()
        self._ended = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._come:
                self.lines.append(line.rstrip("\n"))
                self._come.notify_all()
        with self._come:
            self._ended = True
            self._come.notify_all()

    def until(self, pattern: str) -> str:
        """The first line that has it, past or to come."""

        def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        with self._come:
            self._come.wait_for(lambda: found() is not None or self._ended, 90.0)
            line = found()
        assert line is not None, "\n".join(self.lines)
        return line

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        return self.process.wait(60)


@pytest.fixture
def rehearse(tmp_path: Path) -> Iterator[Any]:
    screens: list[Screen] = []

    def start(*options: str) -> Screen:
        path = tmp_path / "drained.yaml"
        path.write_text(SCENARIO)
        screens.append(Screen(path, *options))
        return screens[-1]

    yield start
    for screen in screens:
        if screen.process.poll() is None:
            screen.process.kill()
            screen.process.wait()


def kubectl(kubeconfig: Path, line: str) -> None:
    """As the operator types it; through the API alone where there is no kubectl."""
    command = read_kubectl(line)
    program = installed()
    if program is not None:
        KubectlChild(program, kubeconfig, command).run()
        return
    client = KubeClient.from_kubeconfig(kubeconfig, user_agent="kubectl/none")
    perform(command.command, client, LiveRuntime())
    client.close()


def test_an_operator_repairs_it_with_kubectl_and_hands(rehearse: Any, tmp_path: Path) -> None:
    lab, report = tmp_path / "lab", tmp_path / "report"
    screen = rehearse("--dir", str(lab), "--report", str(report), "--timeout", "90s")
    kubeconfig = Path(screen.until("export KUBECONFIG=").partition("=")[2])
    assert kubeconfig == lab / "kubeconfig"
    screen.until("ALARM, after")
    screen.until("doctor: queue-drained")
    assert "maxConcurrentOps" not in "\n".join(screen.lines), "the cause is not given away"
    assert "rack-switch" not in "\n".join(screen.lines)
    screen.say("h")
    screen.until("hint 1 of 2: Somebody has closed a door")
    kubectl(kubeconfig, OPEN)
    screen.until(r'\] kubectl: patch ConfigMap .*maxConcurrentOps "0" -> "5"')
    hands = screen.until("beskar7 faults clear ID").replace("ID", "rack-switch").split()
    subprocess.run([sys.executable, "-m", *hands], check=True, timeout=60, cwd=REPOSITORY)
    screen.until("hands: the fault rack-switch is cleared")
    assert screen.end() == 0, "\n".join(screen.lines)
    screen.until(r"Recovered \S+ after the alarm, \S+ after the last repair, with 1 of 2 hints")
    screen.until("invariants held on the way")

    told = json.loads((report / "result.json").read_text())
    assert told["hints_used"] == 1
    acts = {act["act"]: act for act in told["acts"]}
    assert list(acts) == ["cause", "symptom", "remedy", "recovery"]
    remedy = [step["what"] for step in acts["remedy"]["steps"]]
    assert any("maxConcurrentOps" in step for step in remedy)
    assert remedy[-1] == "hands: the fault rack-switch is cleared"
    assert told["metrics"]["recovery_seconds"] == acts["recovery"]["seconds"]
    assert "Four acts" in (report / "report.html").read_text()


def test_ctrl_c_takes_the_lab_down(rehearse: Any) -> None:
    screen = rehearse()
    screen.until("wait for the alarm")
    screen.process.send_signal(signal.SIGINT)
    assert screen.end() == 130
    screen.until("Not recovered: by the user")
    assert "Traceback" not in "\n".join(screen.lines)
