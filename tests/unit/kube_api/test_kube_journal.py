"""The journal: whole frames survive any cut, torn ones go, and damage elsewhere is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from beskar7.api.errors import Expired
from beskar7.api.kinds import CONFIG_MAP, CRD, NAMESPACE, PHYSICAL_HOST
from beskar7.runtime import LiveRuntime
from emulator.kube.store import durable
from emulator.kube.store.durable import Keeping
from emulator.kube.store.journal import (
    DELETE,
    PUT,
    Journal,
    JournalError,
    Operation,
    read,
)
from emulator.kube.store.store import Store
from emulator.kube.world import furnish

pytestmark = pytest.mark.unit


def put(version: int, key: bytes, body: bytes) -> Operation:
    return Operation(PUT, version, key, body)


def reopened(directory: Path) -> Journal:
    journal = Journal(directory)
    journal.close()
    return journal


def newest(directory: Path) -> Path:
    (path,) = directory.glob("state-*.log")
    return path


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, list[tuple[int, dict[bytes, tuple[int, bytes]]]]]:
    """A small log, and after each frame its size and the state that it stands for."""
    journal = Journal(tmp_path)
    states = [(journal.size, {})]
    state: dict[bytes, tuple[int, bytes]] = {}
    for operations in (
        [put(1, b"a", b"one")],
        [put(2, b"b", b"two"), put(3, b"a", b"three")],
        [Operation(DELETE, 4, b"b")],
        [put(5, b"c", bytes(range(256)))],
    ):
        journal.append(operations)
        for operation in operations:
            if operation.which == PUT:
                state[operation.key] = (operation.version, operation.body)
            else:
                del state[operation.key]
        states.append((journal.size, dict(state)))
    journal.close()
    return newest(tmp_path), states


def test_a_log_cut_at_any_byte_holds_the_whole_frames(written: Any, tmp_path: Path) -> None:
    path, states = written
    data = path.read_bytes()
    begun = states[0][0]
    for cut in range(begun, len(data) + 1):
        path.write_bytes(data[:cut])
        journal = Journal(tmp_path)
        size, expected = next((s, e) for s, e in reversed(states) if s <= cut)
        assert journal.state == expected, cut
        assert journal.torn == cut - size
        # What comes after a repair is kept as well.
        journal.append([put(9, b"later", b"x")])
        journal.close()
        assert reopened(tmp_path).state == {**expected, b"later": (9, b"x")}


def test_a_wrong_byte_in_the_last_frame_takes_that_frame_only(written: Any) -> None:
    path, states = written
    data = bytearray(path.read_bytes())
    (size, expected), (end, _) = states[-2], states[-1]
    for at in range(size, end):
        data[at] ^= 0x5A
        found = read(bytes(data), path)
        assert found.state == expected, at
        assert (found.size, found.torn) == (size, end - size)
        data[at] ^= 0x5A


def test_a_wrong_byte_before_the_last_frame_is_no_crash(written: Any) -> None:
    path, states = written
    data = bytearray(path.read_bytes())
    for at in range(states[-2][0]):
        data[at] ^= 0x5A
        with pytest.raises(JournalError, match=r"state-00000001\.log: damaged at byte \d+"):
            read(bytes(data), path)
        data[at] ^= 0x5A


def test_a_file_cut_into_its_beginning_is_no_crash(written: Any) -> None:
    path, states = written
    data = path.read_bytes()
    for cut in range(states[0][0]):
        with pytest.raises(JournalError, match="damaged"):
            read(data[:cut], path)


def test_a_rewrite_that_was_cut_off_leaves_the_file_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([put(1, b"a", b"one")])

    def broken() -> Any:
        yield put(1, b"a", b"one")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        journal.rewrite(broken())
    journal.append([put(2, b"b", b"two")])
    journal.close()
    assert set(reopened(tmp_path).state) == {b"a", b"b"}
    assert not [*tmp_path.glob("*.tmp")]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(JournalError, match="another server has it open"):
        Journal(tmp_path)
    journal.close()
    reopened(tmp_path)


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    reopened(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert newest(directory).stat().st_mode & 0o777 == 0o600


def host(name: str, **spec: Any) -> dict[str, Any]:
    connection = {"address": "http://a", "credentialsSecretRef": "b"}
    return {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": "PhysicalHost",
        "metadata": {"namespace": "default", "name": name},
        "spec": {"redfishConnection": connection, **spec},
    }


class Servers:
    """One store after the other on one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keeping: Keeping | None = None
        self.failures: list[str] = []

    def start(self, seed: int | None = None) -> Store:
        if self.keeping is not None and self.keeping._journal is not None:
            self.keeping._journal.close()
        self.keeping = Keeping(self.directory, "os", lambda: self.failures.append("failed"))
        return furnish(LiveRuntime(seed), restore=self.keeping.attach)[0]


@pytest.fixture
def servers(tmp_path: Path) -> Servers:
    return Servers(tmp_path)


def everything(store: Store) -> dict[str, bytes]:
    return {f"{kind}/{entry.namespace}/{entry.name}": entry.raw for kind, entry in all_of(store)}


def all_of(store: Store) -> Any:
    return store.everything()


def test_a_store_comes_back_as_it_was(servers: Servers) -> None:
    store = servers.start()
    store.create(PHYSICAL_HOST, host("a"))
    store.create(PHYSICAL_HOST, host("b"))
    store.patch(PHYSICAL_HOST, "default", "a", {"spec": {"bootIsoSource": "http://i"}})
    store.patch(PHYSICAL_HOST, "default", "a", {"status": {"state": "Available"}}, status=True)
    store.delete(PHYSICAL_HOST, "default", "b")
    before = everything(store)
    version = store.resource_version
    again = servers.start()
    assert everything(again) == before
    assert again.resource_version > version
    after = again.create(PHYSICAL_HOST, host("c"))
    assert after.version > version
    assert after.uid not in {entry.uid for _, entry in all_of(store)}


def test_a_version_that_only_a_list_told_does_not_come_again(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = servers.start().resource_version
    # The machine's clock was put back by an hour.
    monkeypatch.setattr(LiveRuntime, "wall", lambda self: told / 1e6 - 3600)
    store = servers.start()
    assert store.resource_version > told
    store.forget_history()
    told = store.resource_version
    assert servers.start().resource_version > told


def test_one_seed_gives_no_uid_twice(servers: Servers) -> None:
    first = servers.start(seed=1).create(PHYSICAL_HOST, host("a")).uid
    assert servers.start(seed=1).create(PHYSICAL_HOST, host("b")).uid != first


def test_no_watch_goes_on_from_before(servers: Servers) -> None:
    store = servers.start()
    store.create(PHYSICAL_HOST, host("a"))
    before = store.resource_version
    again = servers.start()
    with pytest.raises(Expired):
        again.watch(PHYSICAL_HOST, version=before, wake=lambda: None)
    again.watch(PHYSICAL_HOST, version=again.resource_version, wake=lambda: None)


def test_what_belongs_together_is_one_frame(servers: Servers) -> None:
    """A namespace and all that was in it go in one step, whatever byte the log ends at."""
    store = servers.start()
    store.create(NAMESPACE, {"metadata": {"name": "n"}})
    for name in ("a", "b", "c"):
        store.create(CONFIG_MAP, {"metadata": {"namespace": "n", "name": name}})
    assert servers.keeping is not None
    assert servers.keeping._journal is not None
    begin = servers.keeping._journal.size
    store.delete(NAMESPACE, None, "n")
    path = newest(servers.directory)
    data = path.read_bytes()
    for cut in range(begin, len(data)):
        assert len(read(data[:cut], path).state) == len(read(data[:begin], path).state)
    assert not servers.start().exists(NAMESPACE, None, "n")


def test_a_deletion_that_waited_goes_on(servers: Servers) -> None:
    store = servers.start()
    store.create(NAMESPACE, {"metadata": {"name": "n"}})
    held = {"metadata": {"namespace": "n", "name": "held", "finalizers": ["a.b/c"]}}
    store.create(CONFIG_MAP, held)
    store.delete(NAMESPACE, None, "n")
    again = servers.start()
    assert again.exists(NAMESPACE, None, "n")
    again.patch(CONFIG_MAP, "n", "held", {"metadata": {"finalizers": None}})
    assert not again.exists(NAMESPACE, None, "n")


def test_owners_are_known_after_a_restart(servers: Servers) -> None:
    store = servers.start()
    owner = store.create(CONFIG_MAP, {"metadata": {"namespace": "default", "name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid}
    store.create(
        CONFIG_MAP,
        {"metadata": {"namespace": "default", "name": "d", "ownerReferences": [reference]}},
    )
    again = servers.start()
    again.delete(CONFIG_MAP, "default", "owner")
    assert not again.exists(CONFIG_MAP, "default", "d")


def test_definitions_come_back_before_what_they_define(servers: Servers) -> None:
    store = servers.start()
    names = {"kind": "Widget", "plural": "widgets"}
    version = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {
        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    }
    store.create(
        CRD,
        {
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": names,
                "versions": [version],
            },
        },
    )
    kind = next(r.kind for r in store.registry if r.kind.kind == "Widget")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"a": 1}}
    store.create(kind, {**widget, "metadata": {"namespace": "default", "name": "w"}})
    assert servers.start().get(kind, "default", "w").obj["spec"] == {"a": 1}


def test_the_log_is_rewritten_when_it_has_grown(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "SMALLEST", 1)
    store = servers.start()
    store.create(PHYSICAL_HOST, host("a"))
    first = newest(servers.directory)
    begun = first.stat().st_size
    for number in range(400):
        patch = {"spec": {"bootIsoSource": f"http://{number}{'x' * 1000}"}}
        store.patch(PHYSICAL_HOST, "default", "a", patch)
    path = newest(servers.directory)
    assert path != first
    assert path.stat().st_size < (durable.GROWTH + 1) * begun
    before = everything(store)
    assert everything(servers.start()) == before


def test_a_full_disk_is_never_an_acknowledged_write(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = servers.start()
    store.create(PHYSICAL_HOST, host("a"))
    real = os.write

    def half(file: int, data: Any) -> int:
        if len(data) > 10:
            return real(file, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        store.create(PHYSICAL_HOST, host("lost"))
    assert servers.failures == ["failed"]
    monkeypatch.undo()
    with pytest.raises(OSError, match="No space"):  # for good: memory is ahead of the disk
        store.create(PHYSICAL_HOST, host("refused"))
    again = servers.start()
    assert again.exists(PHYSICAL_HOST, "default", "a")
    assert not again.exists(PHYSICAL_HOST, "default", "lost")
