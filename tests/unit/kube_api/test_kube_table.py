"""Tables: cells by JSON path, ages, and the columns of built-in kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import EVENT, PHYSICAL_HOST, SECRET
from emulator.kube.kinds.registry import Column
from emulator.kube.store.store import Store
from emulator.kube.tables.ages import human_duration
from emulator.kube.tables.table import ColumnError, _cell, check_path, row, table

pytestmark = pytest.mark.unit

WALL = 1_767_225_600.0  # the virtual runtime's second zero


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0.4, "0s"),
        (119, "119s"),
        (120, "2m"),
        (190, "3m10s"),
        (601, "10m"),
        (179 * 60, "179m"),
        (3 * 3600 + 120, "3h2m"),
        (26 * 3600, "26h"),
        (4 * 86400 + 3 * 3600, "4d3h"),
        (90 * 86400, "90d"),
        (3 * 365 * 86400 + 12 * 86400, "3y12d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_written_as_kubectl_does(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


OBJ = {
    "metadata": {"name": "n", "labels": {"cluster.x-k8s.io/cluster-name": "c1"}},
    "status": {
        "ready": True,
        "count": 3,
        "conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}],
    },
}


@pytest.mark.parametrize(
    ("type_", "path", "cell"),
    [
        ("boolean", ".status.ready", True),
        ("integer", ".status.count", 3),
        ("string", ".status.count", "3"),
        ("integer", ".metadata.name", None),
        ("string", ".status.absent.deeper", ""),
        ("string", r".metadata.labels.cluster\.x-k8s\.io/cluster-name", "c1"),
        ("string", ".metadata.labels['cluster.x-k8s.io/cluster-name']", "c1"),
        ("string", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']", "c1"),
        ("string", '.status.conditions[?(@.type=="Ready")].status', "True"),
        ("string", ".status.conditions[0].type", "A"),
        ("string", ".status.conditions[7].type", ""),
        ("date", ".metadata.name", "<unknown>"),
    ],
)
def test_cells_are_read_by_path(type_: str, path: str, cell: Any) -> None:
    assert _cell(Column("X", type_, path), OBJ, WALL) == cell


@pytest.mark.parametrize("path", ["", "name", ".a[", ".a[?(@", ".a" * 1000])
def test_bad_paths_are_refused(path: str) -> None:
    with pytest.raises(ColumnError):
        check_path(path)


def test_a_table_of_hosts(store: Store, host: Callable[..., dict[str, Any]]) -> None:
    store.create(PHYSICAL_HOST, host())
    store.patch(
        PHYSICAL_HOST, "default", "h1", {"status": {"state": "Claimed", "ready": True}}, status=True
    )
    entry = store.get(PHYSICAL_HOST, "default", "h1")
    resource = store.resource(PHYSICAL_HOST)
    built = table(resource, [entry.obj], "9", "Metadata", WALL + 61)
    cells = dict(
        zip(
            (column["name"] for column in built["columnDefinitions"]),
            built["rows"][0]["cells"],
            strict=True,
        )
    )
    assert cells["Name"] == "h1"
    assert cells["State"] == "Claimed"
    assert cells["Ready"] is True
    assert cells["Age"] == "61s"
    assert built["metadata"] == {"resourceVersion": "9"}
    assert built["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert row(resource, entry.obj, "Object", WALL)["object"] is entry.obj
    assert "object" not in row(resource, entry.obj, "None", WALL)


def test_secrets_are_counted_not_shown(store: Store) -> None:
    meta = {"name": "s", "namespace": "default"}
    entry = store.create(SECRET, {"metadata": meta, "stringData": {"a": "1", "b": "2"}})
    cells = row(store.resource(SECRET), entry.obj, "None", WALL)["cells"]
    assert cells == ["s", "Opaque", 2, "0s"]


def test_events_say_what_they_are_about(store: Store) -> None:
    event = {
        "metadata": {"name": "e", "namespace": "default"},
        "involvedObject": {"kind": "PhysicalHost", "name": "h1", "namespace": "default"},
        "type": "Warning",
        "reason": "QueueFull",
        "message": "try later",
        "count": 4,
        "source": {"component": "beskar7"},
        "firstTimestamp": "2025-12-31T23:59:00Z",
        "lastTimestamp": "2025-12-31T23:59:30Z",
    }
    entry = store.create(EVENT, event)
    cells = row(store.resource(EVENT), entry.obj, "None", WALL)["cells"]
    assert cells == [
        "30s", "Warning", "QueueFull", "physicalhost/h1", "", "beskar7", "try later",
        "60s", 4, "e",
    ]  # fmt: skip
