"""``beskar7 explain``: the logs of a run, read back; whatever is wrong with them has a message."""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beskar7.api.problems import DocumentError
from beskar7.api.states import LEGAL_EDGES
from scenarios import explain
from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.invariants import Rules
from scenarios.engine.keeping import save
from scenarios.engine.result import conclude
from scenarios.engine.story.entries import entries
from scenarios.engine.story.kept import read
from scenarios.engine.story.text import story

pytestmark = pytest.mark.unit

LOGS = ("writes", "bmc-requests", "bmc-events", "incidents", "faults", "violations")


@pytest.fixture
def kept(logs: Any, tmp_path: Path) -> Path:
    logs.claimed("h1", "m1")
    logs.request("h1", 2.0, 2.5, "reset:On", operation=logs.provision("h1", "m1"), fault="slow")
    logs.event("h1", 2.6, "power-on")
    logs.host(3.0, "h1", owner="m2")
    logs.host(3.1, "h2", state="Available")
    logs.incidents = [Incident(2.7, "kill-manager", "a", "leader")]
    logs.faults = [FaultWindow({"id": "slow", "kind": "latency"}, 1.9, None)]
    rules = Rules(legal_edges=LEGAL_EDGES | {("", "Available")})
    save(conclude(logs.evidence(10.0), rules, 3.0), tmp_path / "run")
    return tmp_path / "run"


def call(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    explain.register(parser.add_subparsers())
    args = parser.parse_args(["explain", *argv])
    return int(args.run(args))


def test_it_tells_from_the_logs_what_the_run_itself_told(kept: Path, capsys: Any) -> None:
    for named in (kept, kept / "result.json"):
        assert call(str(named)) == 0
        assert capsys.readouterr().out == (kept / "timeline.txt").read_text()
    assert ">>>" in (kept / "timeline.txt").read_text()


def test_one_host_or_machine_and_only_what_is_near(kept: Path, capsys: Any) -> None:
    assert call(str(kept), "--host", "h2") == 0
    out = capsys.readouterr().out
    assert "=== h2" in out
    assert "owner" not in out.partition("===")[2]
    assert call(str(kept), "--machine", "m1", "--around", "500ms") == 0
    out = capsys.readouterr().out
    assert "power-on" in out
    assert "BMC reset:On" not in out, "a second before"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--host", "h11"], '--host h11: this run had none of that name; did you mean "h1"'),
        (["--machine", "zzz"], "known: m1"),
        (["--host", "h2", "--around", "5"], "no violation concerns h2"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(
    kept: Path, capsys: Any, argv: list[str], said: str
) -> None:
    assert call(str(kept), *argv) == 2
    assert said in capsys.readouterr().err


def test_seconds_have_to_be_some(kept: Path, capsys: Any) -> None:
    for text in ("-1", "nan", "inf", "5x"):
        with pytest.raises(SystemExit) as caught:
            call(str(kept), f"--around={text}")
        assert caught.value.code == 2
        assert text in capsys.readouterr().err


def test_what_is_no_run_is_told(kept: Path, tmp_path: Path, capsys: Any) -> None:
    assert call(str(tmp_path)) == 2
    assert "result.json: cannot read it" in capsys.readouterr().err
    assert call(str(kept / "report.html")) == 2
    assert "give a run's report directory" in capsys.readouterr().err
    (kept / "faults.jsonl.gz").unlink()
    assert call(str(kept)) == 2
    assert "faults.jsonl.gz: is missing beside the result" in capsys.readouterr().err


def lines(path: Path) -> list[Any]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name", LOGS)
def test_a_damaged_log_is_told_with_its_line(kept: Path, capsys: Any, name: str) -> None:
    path = kept / f"{name}.jsonl.gz"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert call(str(kept)) == 2
    assert re.search(rf"{name}\.jsonl\.gz:\d+: cannot read it", capsys.readouterr().err)
    path.write_bytes(gzip.compress(gzip.decompress(good) + b"{\n"))
    assert call(str(kept)) == 2
    assert f"{name}.jsonl.gz:{len(lines_of(good)) + 1}: not valid JSON" in capsys.readouterr().err
    path.write_bytes(b"no archive")
    assert call(str(kept)) == 2
    assert "cannot read it" in capsys.readouterr().err


def lines_of(archive: bytes) -> list[bytes]:
    return gzip.decompress(archive).splitlines()


def test_a_line_without_end_is_refused(kept: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("scenarios.engine.story.kept.MAX_LINE_BYTES", 100)
    assert call(str(kept)) == 2
    assert "writes.jsonl.gz:1: longer than" in capsys.readouterr().err
    monkeypatch.setattr("scenarios.engine.story.kept.MAX_LINE_BYTES", 1_000_000)
    monkeypatch.setattr("scenarios.engine.story.kept.MAX_LINES", 2)
    assert call(str(kept)) == 2
    assert "writes.jsonl.gz:3: more than 2 entries" in capsys.readouterr().err


def test_a_field_of_another_form_is_named(kept: Path, capsys: Any) -> None:
    path = kept / "bmc-requests.jsonl.gz"
    entry = lines(path)[0] | {"start": "soon"}
    path.write_bytes(gzip.compress(json.dumps(entry).encode()))
    assert call(str(kept)) == 2
    assert "bmc-requests.jsonl.gz:1: start: has to be a number" in capsys.readouterr().err
    told = json.loads((kept / "result.json").read_text())
    del told["times"]["ended"]
    (kept / "result.json").write_text(json.dumps(told))
    path.write_bytes(gzip.compress(b""))
    assert call(str(kept)) == 2
    assert "result.json: times.ended: has to be a number" in capsys.readouterr().err


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(("metadata", "spec", "status", "conditions", "consumerRef", "name")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_logs_of_any_content_are_told_or_refused(kept: Path, data: Any) -> None:
    name = data.draw(st.sampled_from(LOGS))
    path = kept / f"{name}.jsonl.gz"
    spare = path.with_suffix(".spare")
    if not spare.exists():
        shutil.copy(path, spare)
    log = lines(spare)
    entry = log[data.draw(st.integers(0, len(log) - 1))]
    entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(json_values)
    text = "".join(json.dumps(item) + "\n" for item in log)
    path.write_bytes(gzip.compress(text.encode(), 1))
    try:
        recording = read(kept)
        told = story(recording, entries(recording))
    except DocumentError as error:
        told = f"{error}\n"
    finally:
        shutil.copy(spare, path)
    assert told.startswith("handmade") or f"{name}.jsonl.gz" in told
