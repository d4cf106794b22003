"""A sweep's table in Parquet, read back by the library that others read it with."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from scenarios.sweep.tables import save

pytestmark = pytest.mark.interop


def test_the_table_keeps_its_types(tmp_path: Path) -> None:
    if find_spec("pyarrow") is None:
        if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
            pytest.fail("pyarrow is missing, and CI must test with it")
        pytest.skip("pyarrow is not installed; pip install 'beskar7-harness[parquet]'")
    from pyarrow import parquet

    paths = save(
        {
            "point": [0, 1],
            "seed": [2**63 - 1, 1],
            "provisioning.workerCount": ["2", "4"],
            "queue_seconds.p95": [0.1 + 0.2, None],
            "conflicts": [None, None],
            "error": ["", "Broken: x"],
        },
        tmp_path,
    )
    assert [path.name for path in paths] == ["runs.csv", "runs.parquet"]
    table = parquet.read_table(tmp_path / "runs.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "point": "int64",
        "seed": "uint64",
        "provisioning.workerCount": "string",
        "queue_seconds.p95": "double",
        "conflicts": "double",
        "error": "string",
    }
    assert table.to_pylist()[0] == {
        "point": 0,
        "seed": 2**63 - 1,
        "provisioning.workerCount": "2",
        "queue_seconds.p95": 0.1 + 0.2,
        "conflicts": None,
        "error": "",
    }
