"""``beskar7 recover`` against a lab: what it does, what it prints, and how it is broken off."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import CONFIG_MAP, DEPLOYMENT
from beskar7.cli import main
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations import managers, recover
from beskar7.operations.live import LiveCluster
from beskar7.operations.recover.journal import NAME as JOURNAL
from beskar7.operations.waiting import wait_until
from scenarios.engine.live import LiveWorld

pytestmark = pytest.mark.e2e

ARGS = "/spec/template/spec/containers/0/args/-"


@pytest.fixture
def run(
    world: LiveWorld, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command's exit code, standard output and standard error."""

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["recover", *words, "--kubeconfig", str(world.lab.kubeconfig)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def replicas(cluster: LiveCluster) -> int:
    return managers.replicas(cluster.kube.get(DEPLOYMENT, NAMESPACE, NAME))


def unelected(cluster: LiveCluster) -> None:
    patch = [{"op": "add", "path": ARGS, "value": "--leader-elect=false"}]
    cluster.kube.patch(DEPLOYMENT, NAMESPACE, NAME, patch, type="json")

    def look(found: list[Any]) -> str:
        # While pods are being replaced, a former one may be the second that leads.
        going_on = managers.rolled_out_among(found)
        return going_on or ("" if len(managers.leaders(cluster)) == 2 else "one leads")

    wait_until(cluster, DEPLOYMENT, NAMESPACE, look, 60)


def test_a_split_brain_is_recovered_from_although_it_was_broken_off(
    world: LiveWorld, cluster: LiveCluster, run: Callable[..., tuple[int, str, str]]
) -> None:
    unelected(cluster)
    code, out, _ = run("split-brain", "--dry-run")
    assert code == 0
    assert "found   2 managers lead at once" in out
    assert "step 1  stop: scale beskar7-controller-manager from 2 to 0" in out
    assert replicas(cluster) == 2
    interrupt(world, cluster)
    # Another emergency waits until this one is over.
    code, _, err = run("queue", "--yes", "--force")
    assert (code, "recovery split-brain is under way" in err) == (2, True)
    code, out, err = run("split-brain", "--yes", "--output", "json")
    report = json.loads(out)
    assert (code, report["outcome"]) == (0, "done"), report
    assert "broken off in step stop" in report["found"][0]
    assert "scale-back" in err  # what goes on is told to people meanwhile
    assert replicas(cluster) == 2
    assert len(managers.leaders(cluster)) == 1
    with pytest.raises(NotFound):
        cluster.kube.get(CONFIG_MAP, NAMESPACE, JOURNAL)
    code, out, _ = run("split-brain", "--yes")
    assert (code, out) == (0, "recover split-brain: nothing to do\n")


def interrupt(world: LiveWorld, cluster: LiveCluster) -> None:
    """An operator who begins and presses Ctrl-C as soon as something has changed."""
    words = ["recover", "split-brain", "--yes", "--kubeconfig", str(world.lab.kubeconfig)]
    command = [sys.executable, "-m", "beskar7", *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:

        def look(found: list[Any]) -> str:
            return "" if replicas(cluster) == 0 else "it has not begun"

        wait_until(cluster, DEPLOYMENT, NAMESPACE, look, 60)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=30)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 130
    assert "run `beskar7 recover split-brain` again to carry on, or with --abort" in out


def test_a_queue_is_drained_and_goes_on(
    cluster: LiveCluster, run: Callable[..., tuple[int, str, str]]
) -> None:
    before = cluster.kube.get(CONFIG_MAP, NAMESPACE, "beskar7-config").get("data")
    assert recover.queue(cluster, recover.Manner(force=True)).exit_code == 0
    assert cluster.kube.get(CONFIG_MAP, NAMESPACE, "beskar7-config").get("data") == before


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_the_plan_is_shown_and_asked_for(
    cluster: LiveCluster,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = cluster.kube.get(CONFIG_MAP, NAMESPACE, "beskar7-config")
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    code, out, _ = run("queue", "--force")
    assert (code, out.splitlines()[-1]) == (1, "Do it? [y/N] recover queue: declined")
    assert "step 1  drain: set provisioning.maxConcurrentOps to 0" in out
    assert cluster.kube.get(CONFIG_MAP, NAMESPACE, "beskar7-config") == before
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code, out, _ = run("queue", "--force")
    assert code == 0
    assert out.splitlines()[-1] == "recover queue: done"


def test_mistakes_are_told_in_one_line(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("hosts", "host-9", "--yes")
    assert (code, err) == (2, "beskar7: recover hosts: there is no PhysicalHost host-9\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, _, err = run("split-brain")
    assert (code, "say --yes" in err) == (2, True)
    with pytest.raises(SystemExit):
        run("queue", "--ops", "0")
    code, out, _ = run("hosts", "--yes")
    assert (code, out) == (0, "recover hosts: nothing to do\n")
