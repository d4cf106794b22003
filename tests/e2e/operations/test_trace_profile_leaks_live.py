"""trace, profile and leaks as an operator runs them: the commands, on a lab, by its kubeconfig."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, PHYSICAL_HOST
from beskar7.cli import main
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.leaks import leaks
from beskar7.operations.leaks_verdict import LEAK, NO_LEAK, TASKS
from beskar7.operations.live import LiveCluster
from scenarios.engine.live import LiveWorld

pytestmark = pytest.mark.e2e

SAMPLES = 18
"""Two more than the least that a verdict takes."""


def command(world: LiveWorld, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*words, "--kubeconfig", str(world.lab.kubeconfig), "--output", "json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, json.loads(out)


def states(cluster: LiveCluster) -> list[str]:
    return [host["status"]["state"] for host in cluster.kube.list(PHYSICAL_HOST, "default").items]


def machines(cluster: LiveCluster) -> list[Any]:
    return cluster.kube.list(BESKAR7_MACHINE, "default").items


def test_a_load_is_profiled_each_machine_of_it_traced_and_all_is_as_before(
    world: LiveWorld, cluster: LiveCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = command(world, capsys, "profile", "--machines", "3", "--minutes", "2", "--keep")
    assert code == 0
    assert told["machines"]["provisioned"] == 3
    assert told["claims"]["by_outcome"]["success"] == 3
    assert sorted(told["usage"]) == sorted(told["managers"]["names"])
    assert all(each["memory_most"] > 10_000_000 for each in told["usage"].values())
    for machine in machines(cluster):
        name = machine["metadata"]["name"]
        code, story = command(world, capsys, "trace", name)
        assert code == 0
        assert story["verdict"]["state"] == "done"
        assert story["phases"]["boot"] > 0
        assert sum(story["phases"].values()) == pytest.approx(story["seconds"])
        kinds = [entry["kind"] for entry in story["story"]]
        assert kinds.count("claimed") == kinds.count("ready") == 1
        cluster.kube.delete(BESKAR7_MACHINE, "default", name)
    code = main(["trace", "nobody", "--kubeconfig", str(world.lab.kubeconfig)])
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no Beskar7Machine default/nobody" in err


@contextmanager
def subcommand(world: LiveWorld, *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "beskar7", *words, "--kubeconfig", str(world.lab.kubeconfig)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def await_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"{text!r} was never said: {process.wait()}")


def test_ctrl_c_ends_a_profile_with_its_machines_gone(
    world: LiveWorld, cluster: LiveCluster
) -> None:
    words = ("profile", "--machines", "5", "--force", "--output", "json")
    with subcommand(world, *words) as process:
        await_line(process, "3 of 5 provisioned")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = json.loads(out)
    assert told["interrupted"]
    assert told["cleanup"]["done"]
    assert machines(cluster) == []
    assert states(cluster) == ["Available"] * 3


def test_row_18_the_manager_that_leaks_is_told_from_the_one_that_does_not(
    world: LiveWorld, cluster: LiveCluster
) -> None:
    leaky, fine = sorted(cluster.usage() or {})

    def enough(text: str) -> None:
        """As an operator who has seen enough: a busy machine takes its time for each sample."""
        if text.startswith(f"{SAMPLES} samples"):
            raise KeyboardInterrupt

    client = f"beskar7-manager/{leaky}"
    leak = {"id": "leak", "target": "api", "kind": "memory-leak", "rate": 8}
    world.add_fault(leak | {"select": {"clients": [client]}})
    try:
        told = leaks(cluster, 600.0, 0.25, enough)
    finally:
        world.clear_faults("leak")
    assert told.watch.interrupted
    assert told.verdict == LEAK, told.to_json()
    found = {each.manager: each for each in told.managers}
    assert [name for name, each in found.items() if each.verdict == LEAK] == [leaky]
    memory, tasks = found[leaky].judgements
    assert (memory.verdict, tasks.verdict) == (LEAK, NO_LEAK)
    assert memory.low is not None
    assert memory.high is not None
    # The interval is of the line's slope, not of how exactly the leak keeps its rate.
    assert memory.low / 1.5 < 8 * 3600 * 2**20 < memory.high * 1.5
    # Each task counts, by the pod's own pages, for which the image needs no tool.
    assert all((sample.value(TASKS) or 0) > 5 for sample in told.watch.samples[fine])


def test_row_18_where_allocations_are_traced_they_are_told_by_their_line(
    world: LiveWorld, cluster: LiveCluster
) -> None:
    profiles = cluster.profiles()
    assert sorted(profiles) == sorted(cluster.usage() or {})
    assert all(each.heap == {} and each.memory == 0 for each in profiles.values())
    leader = max(profiles, key=lambda name: len(profiles[name].tasks))
    assert profiles[leader].tasks["reflector-physicalhosts"] == 1
    patch = {"data": {"metrics.enableProfiling": "true"}}
    cluster.kube.patch(CONFIG_MAP, NAMESPACE, "beskar7-config", patch)
    end = world.runtime.now() + 30.0
    while not all(each.heap for each in profiles.values()):
        assert world.runtime.now() < end, profiles
        world.runtime.sleep(0.2)
        profiles = cluster.profiles()
    sites = [site for each in profiles.values() for site in each.heap]
    assert any("beskar7/" in site for site in sites)
