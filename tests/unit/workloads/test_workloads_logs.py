"""Container logs (bounded, selectable, followed) and the sum of several expositions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kube.workloads.exposition import parse, total
from emulator.kube.workloads.podlog import (
    MAX_LINE,
    ContainerLog,
    Splitter,
    Wanted,
    bounded,
    select,
    stamp,
)

pytestmark = pytest.mark.unit

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def written(tmp_path: Path, count: int, **bounds: int) -> ContainerLog:
    log = ContainerLog(tmp_path / "pod" / "0.log", **bounds)
    for number in range(count):
        log.append(START + number, "stderr", f"line {number}".encode())
    return log


def shown(log: ContainerLog, **wanted) -> list[str]:
    lines, _ = log.raw_lines()
    return b"".join(select(lines, Wanted(**wanted))).decode().splitlines()


def test_lines_come_back_as_they_were(tmp_path):
    log = written(tmp_path, 3)
    assert shown(log) == ["line 0", "line 1", "line 2"]
    assert (tmp_path / "pod" / "0.log").stat().st_mode & 0o777 == 0o600
    assert shown(log, timestamps=True)[1] == "2026-01-01T00:00:01.000000000Z line 1"
    log.close()
    assert shown(log) == ["line 0", "line 1", "line 2"]
    log.append(START, "stderr", b"too late")
    assert len(shown(log)) == 3


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ({"tail": 2}, ["line 3", "line 4"]),
        ({"tail": 0}, []),
        ({"tail": 99}, ["line 0", "line 1", "line 2", "line 3", "line 4"]),
        ({"since": START + 3}, ["line 3", "line 4"]),
        ({"since": START + 99}, []),
        ({"since": START + 1, "tail": 1}, ["line 4"]),
    ],
)
def test_selection(tmp_path, wanted, first):
    assert shown(written(tmp_path, 5), **wanted) == first


def test_a_log_is_bounded_and_loses_its_oldest(tmp_path):
    log = written(tmp_path, 5000, max_file=4096)
    size = sum(each.stat().st_size for each in (tmp_path / "pod").iterdir())
    assert size <= 2 * 4096
    lines = shown(log)
    assert lines[-1] == "line 4999"
    assert lines == [f"line {n}" for n in range(5000 - len(lines), 5000)]
    log.remove()
    assert list((tmp_path / "pod").iterdir()) == []


def test_a_follower_reads_on_where_it_was_even_past_a_rotation(tmp_path):
    log = written(tmp_path, 10, max_file=2048)
    _, offset = log.raw_lines()
    assert log.read(offset) == (b"", offset)
    seen: list[bytes] = []
    for number in range(10, 200):
        log.append(START + number, "stderr", f"line {number}".encode())
        data, offset = log.read(offset)
        while data:
            seen += [Wanted().show(line) for line in data.splitlines()]
            data, offset = log.read(offset)
    assert seen == [f"line {number}\n".encode() for number in range(10, 200)]


def test_followers_are_woken_by_lines_and_by_the_end(tmp_path):
    async def follow() -> None:
        log = written(tmp_path, 0)
        woken = log.follow()
        log.append(START, "stdout", b"x")
        assert woken.is_set()
        woken.clear()
        log.close()
        assert woken.is_set()
        log.leave(woken)

    asyncio.run(follow())


def test_limit_cuts_in_mid_line():
    assert b"".join(bounded([b"abc\n", b"def\n"], 6)) == b"abc\nde"
    assert b"".join(bounded([b"abc\n"], None)) == b"abc\n"


def test_stamps_have_nine_digits():
    assert stamp(START + 0.25) == "2026-01-01T00:00:00.250000000Z"


@given(
    st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=8),
    st.integers(1, 7),
)
def test_lines_are_found_however_the_pipe_cuts_them(lines, size):
    data = b"\n".join(lines)
    splitter = Splitter()
    found = []
    for at in range(0, len(data), size):
        found += splitter.feed(data[at : at + size])
    found += splitter.end()
    assert all(part is False for _, part in found)
    expected = data.split(b"\n")
    assert [line for line, _ in found] == (expected if expected[-1] else expected[:-1])


def test_a_line_without_end_is_cut_and_put_together_again(tmp_path):
    splitter = Splitter()
    log = ContainerLog(tmp_path / "0.log")
    text = bytes(range(32, 127)) * 600
    for line, part in [*splitter.feed(text[:40_000]), *splitter.feed(text[40_000:] + b"\nend\n")]:
        assert len(line) <= MAX_LINE
        log.append(START, "stderr", line, part=part)
    lines, _ = log.raw_lines()
    assert b"".join(select(lines, Wanted())) == text + b"\nend\n"


ONE = """# HELP queue_length Length.
# TYPE queue_length gauge
queue_length 3.0
wait_bucket{le="0.5",kind="a"} 1.0
wait_bucket{le="+Inf",kind="a"} 2.0
wait_created{kind="a"} 1.7e9
odd{text="with \\"quotes\\", commas and } braces"} 1
ratio 0.25
"""
OTHER = """queue_length 4
wait_bucket{kind="a",le="0.5"} 10.0
only_here{x="y"} NaN
ratio 0.5 1700000000000
this is no sample
"""


def test_samples_are_summed_by_name_and_labels_without_comments():
    assert total([ONE, OTHER]).splitlines() == [
        "queue_length 7",
        'wait_bucket{kind="a",le="0.5"} 11',
        'wait_bucket{kind="a",le="+Inf"} 2',
        'odd{text="with \\"quotes\\", commas and } braces"} 1',
        "ratio 0.75",
    ]
    assert total([]) == ""
    assert total(["x +Inf\n", "x 1\n"]) == "x +Inf\n"


@given(st.text(max_size=200))
def test_no_text_breaks_the_sum(text):
    for name, _ in parse(text):
        assert name
    total([text, ONE])
