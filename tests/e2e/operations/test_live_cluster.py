"""What an operation sees of a lab through its kubeconfig."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.kube.client import KubeconfigError
from beskar7.operations.live import LiveCluster
from scenarios.engine.live import LiveWorld

pytestmark = pytest.mark.e2e


def test_each_manager_is_read_by_the_name_of_its_pod(
    world: LiveWorld, cluster: LiveCluster
) -> None:
    pods = [pod["metadata"]["name"] for pod in cluster.pods()]
    assert len(pods) == 2
    # The lab's clock is this machine's, and it says so: without a Date ours would be taken for it.
    assert cluster.kube.read("/version", limit=10_000)[1]["Date"]
    assert cluster.runtime.wall() == pytest.approx(world.runtime.wall(), abs=1.0)
    texts = cluster.metrics()
    assert list(texts) == pods
    leads = [f'beskar7_leader{{identity="{pod}"}} 1.0' in texts[pod] for pod in pods]
    assert sorted(leads) == [False, True]  # each one's own, not a sum
    logs = cluster.logs(600)
    assert list(logs) == pods
    assert all(logs.values())
    used = cluster.usage()
    assert used is not None
    assert list(used) == pods
    assert all(each.memory > 10_000_000 for each in used.values())
    tasks = {pod: sum(profile.tasks.values()) for pod, profile in cluster.profiles().items()}
    assert list(tasks) == pods
    assert min(tasks.values()) > 5


def test_a_manager_that_was_killed_keeps_the_log_of_its_former_life(
    world: LiveWorld, cluster: LiveCluster
) -> None:
    victim = world.kill_manager("leader")
    world.lab.await_managers()
    lines = cluster.logs(600)[victim]
    # A life says its own identity: the second one has another.
    assert any(victim in line and f"{victim}_1" not in line for line in lines)
    assert any(f"{victim}_1" in line for line in lines)
    starts = [at for at, line in enumerate(lines) if f"{victim}_1" in line]
    assert starts[0] > 0  # oldest first


def test_without_a_cluster_it_is_said_why(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError):
        LiveCluster.from_kubeconfig(tmp_path / "none")
    closed = tmp_path / "kubeconfig"
    closed.write_text(
        "{apiVersion: v1, kind: Config, current-context: c,"
        " contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}],"
        " users: [{name: u, user: {token: t}}]}"
    )
    with pytest.raises(ServiceUnavailable, match="refused"):
        LiveCluster.from_kubeconfig(closed)
