"""Concurrent histories over HTTP: linearizable per object; watches replay to the lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP
from beskar7.kube.client import KubeClient
from beskar7.runtime import LiveRuntime
from emulator.kube.store.histories import Client, ObjectModel, Recording, Replay, differences
from emulator.linearizability import linearizable

pytestmark = pytest.mark.e2e

NAMES = ["a", "b", "c"]
CLIENTS, STEPS = 6, 60


@pytest.mark.parametrize("seed", [1, 2])
def test_random_histories_over_http(server: Any, seed: int) -> None:
    runtime = LiveRuntime(seed)
    recording = Recording()
    prefix, end = f"s{seed}-", f"zz-end-{seed}"
    ports: list[KubeClient] = []

    def port(name: str) -> KubeClient:
        path = Path(server.directory) / "kubeconfig"
        ports.append(KubeClient.from_kubeconfig(path, user_agent=name, runtime=runtime))
        return ports[-1]

    root = port("root")
    before = root.list(CONFIG_MAP, "default")
    replays = [Replay(port(f"watcher-{n}"), end) for n in range(3)]
    for replay in replays:
        replay.begin_with(before.items)
    watching = [
        runtime.spawn(replay.run, before.resource_version, 1 + n, name=f"watcher-{n}")
        for n, replay in enumerate(replays)
    ]
    working = []
    for n in range(CLIENTS):
        client = Client(port(f"c{n}"), runtime, runtime.rng(f"c{n}"), f"c{n}", recording)
        names = [prefix + name for name in NAMES]
        working.append(runtime.spawn(client.run, STEPS, names, name=f"c{n}"))
    for task in working:
        assert task.join(60)
        assert task.error is None
    root.create(
        CONFIG_MAP,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": end, "namespace": "default"},
        },
    )
    for task in watching:
        assert task.join(30)
        assert task.error is None
    for name, history in recording.operations.items():
        assert len(history) > 20
        assert linearizable(history, ObjectModel()), name
    assert len(recording.lists) > 10
    for replay in replays:
        assert differences(recording, replay) == []
    for each in ports:
        each.close()
