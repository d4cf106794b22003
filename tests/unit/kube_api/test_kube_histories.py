"""Concurrent histories in process: linearizable per object; watches replay to the lists."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP
from beskar7.kube.port import Kube
from beskar7.runtime import VirtualRuntime
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.store.histories import Client, ObjectModel, Recording, Replay, differences
from emulator.kube.store.history import Watcher
from emulator.kube.world import new_store
from emulator.linearizability import Operation, linearizable

pytestmark = pytest.mark.unit

NAMES = ["a", "b", "c"]
END = "zz-end"
LATENCY = LatencyModel(request=0.01, delivery=0.05, sigma=1.0)


def run(seed: int, clients: int = 5, steps: int = 40) -> tuple[Recording, list[Replay], Any]:
    runtime = VirtualRuntime(seed)
    store = new_store(runtime, crds=[])
    recording = Recording()

    def port(name: str) -> Kube:
        return InProcessKube(store, runtime, client=name, latency=LATENCY)

    replays = [Replay(port(f"watcher-{n}"), END) for n in range(3)]

    def main() -> None:
        version = str(store.resource_version)
        watching = [
            runtime.spawn(replay.run, version, 0.2 + n, name=f"watcher-{n}")
            for n, replay in enumerate(replays)
        ]
        working = []
        for n in range(clients):
            client = Client(port(f"c{n}"), runtime, runtime.rng(f"c{n}"), f"c{n}", recording)
            working.append(runtime.spawn(client.run, steps, NAMES, name=f"c{n}"))
        for task in working:
            assert task.join(1000)
            assert task.error is None
        store.create(CONFIG_MAP, {"metadata": {"name": END, "namespace": "default"}})
        for task in watching:
            assert task.join(1000)
            assert task.error is None

    runtime.run(main, until=10_000.0)
    return recording, replays, store


@pytest.mark.parametrize("seed", range(20))
def test_random_histories(seed: int) -> None:
    recording, replays, store = run(seed)
    assert sum(map(len, recording.operations.values())) > 100
    for name, history in recording.operations.items():
        assert linearizable(history, ObjectModel()), name
    assert len(recording.lists) > 10
    for replay in replays:
        assert differences(recording, replay) == []
        last = replay.at(store.resource_version)
        assert set(last) == {entry.name for entry in store.list(CONFIG_MAP, "default")}


def overlapping(history: list[Operation]) -> int:
    return sum(
        one is not other and one.start < other.end and other.start < one.end
        for one in history
        for other in history
    )


def test_the_histories_are_concurrent_and_of_every_outcome() -> None:
    recording, _, _ = run(1)
    operations = [each for history in recording.operations.values() for each in history]
    assert all(overlapping(history) > 20 for history in recording.operations.values())
    outcomes = {(each.input.verb, each.output.error) for each in operations}
    assert {
        ("create", ""),
        ("create", "AlreadyExists"),
        ("update", ""),
        ("update", "Conflict"),
        ("update", "NotFound"),
        ("patch", ""),
        ("delete", ""),
        ("delete", "Conflict"),
        ("get", "NotFound"),
    } <= outcomes


def test_a_lost_update_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same histories on a store that does not compare versions."""
    monkeypatch.setattr("emulator.kube.store.writing.check_preconditions", lambda *_: None)
    found = []
    for seed in range(3):
        recording, _, _ = run(seed)
        found += [
            name
            for name, history in recording.operations.items()
            if not linearizable(history, ObjectModel())
        ]
    assert found


def test_a_lost_event_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Watcher.take
    count = 0

    def lossy(self: Watcher) -> Any:
        nonlocal count
        count += 1
        return taken(self) if count % 20 else taken(self) and taken(self)

    monkeypatch.setattr(Watcher, "take", lossy)
    recording, replays, _ = run(2)
    assert all(differences(recording, replay) for replay in replays)
